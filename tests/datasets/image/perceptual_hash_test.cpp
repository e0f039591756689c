#include "datasets/image/perceptual_hash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace duet {
namespace {

/// Some dark shapes on white, as product photos are: 6 to 12 ellipses and bars.
Image scene(std::uint64_t number, int side = 240) {
  KeyedRandom random(9, Purpose::test, number, 0);
  Image image(side, side, 3, 255);
  const auto shapes = 6 + random.below(7);
  for (std::uint64_t s = 0; s < shapes; ++s) {
    const double cx = random.uniform(0.2, 0.8), cy = random.uniform(0.2, 0.8), rx = random.uniform(0.02, 0.22),
                 ry = random.uniform(0.02, 0.22);
    const bool round = random.chance(0.5);
    const auto red = static_cast<std::uint8_t>(random.below(180)), green = static_cast<std::uint8_t>(random.below(180));
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const double u = ((x + 0.5) / side - cx) / rx, v = ((y + 0.5) / side - cy) / ry;
        if (round ? u * u + v * v < 1 : std::abs(u) < 1 && std::abs(v) < 1)
          image.at(x, y, 0) = red, image.at(x, y, 1) = green, image.at(x, y, 2) = 60;
      }
    }
  }
  return image;
}

Image cut(const Image& image, int left, int top, int width, int height) {  // beyond the image is white
  Image part(width, height, 3, 255);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int from_x = x + left, from_y = y + top;
      if (from_x < 0 || from_y < 0 || from_x >= image.width || from_y >= image.height) continue;
      for (int c = 0; c < 3; ++c) part.at(x, y, c) = image.at(from_x, from_y, c);
    }
  }
  return part;
}

int distance(const Image& a, const Image& b) { return hamming_distance(perceptual_hash(a), perceptual_hash(b)); }

TEST(PerceptualHash, FindsRescaledReencodedAndReframedCopies) {
  for (std::uint64_t number = 0; number < 60; ++number) {
    const auto image = scene(number);
    EXPECT_LE(distance(image, resize(image, 120, 120)), kLookAlikeDistance) << number;
    EXPECT_LE(distance(image, resize(image, 301, 301)), kLookAlikeDistance) << number;
    EXPECT_LE(distance(image, decode_image(encode_jpeg(image, 40), {}, "copy")), kLookAlikeDistance) << number;
    EXPECT_LE(distance(image, cut(image, -30, -10, 300, 290)), 2) << number << ": other margins";
    EXPECT_LE(distance(image, cut(image, 4, 4, 232, 232)), kLookAlikeDistance) << number << ": cropped";
  }
}

TEST(PerceptualHash, SeparatesDifferentPictures) {
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t number = 0; number < 150; ++number) hashes.push_back(perceptual_hash(scene(number)));
  int alike = 0;
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int d = hamming_distance(hashes[i], hashes[j]);
      alike += d <= kLookAlikeDistance;
      sum += d;
      pairs += 1;
    }
  }
  EXPECT_EQ(alike, 0);
  EXPECT_NEAR(sum / pairs, 32, 5) << "unrelated pictures differ in about half of the bits";
}

TEST(PerceptualHash, KnowsMirrorImagesApart) {
  const auto image = scene(11);
  auto mirrored = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) mirrored.at(x, y, c) = image.at(image.width - 1 - x, y, c);
    }
  }
  EXPECT_GT(distance(image, mirrored), kLookAlikeDistance);
}

TEST(PerceptualHash, TakesAnySizeAndFlatPictures) {
  EXPECT_EQ(perceptual_hash(Image(1, 1, 3, 255)), perceptual_hash(Image(500, 3, 3, 255)));
  perceptual_hash(Image(1, 1, 1, 0));
  perceptual_hash(Image(3, 700, 1, 90));
}

TEST(PerceptualHash, GreyAndEqualChannelsAreOne) {
  Image grey(90, 70, 1), equal(90, 70, 3);
  for (int y = 0; y < 70; ++y) {
    for (int x = 0; x < 90; ++x) {
      grey.at(x, y, 0) = static_cast<std::uint8_t>(128 + 100 * std::sin(x * 0.13) * std::cos(y * 0.07 + x * 0.02));
      for (int c = 0; c < 3; ++c) equal.at(x, y, c) = grey.at(x, y, 0);
    }
  }
  EXPECT_LE(distance(grey, equal), 2) << "up to rounding";
}

TEST(HammingDistance, CountsDifferingBits) {
  EXPECT_EQ(hamming_distance(0, 0), 0);
  EXPECT_EQ(hamming_distance(0b1011, 0b0001), 2);
  EXPECT_EQ(hamming_distance(0, ~std::uint64_t{0}), 64);
}

}  // namespace
}  // namespace duet
