#include "datasets/loader/photo_sampler.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/random.h"
#include "datasets/sketch/rasterize.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

Image noise_image(int width, int height) {
  KeyedRandom random(2, Purpose::test, 0, 0);
  Image image(width, height, 3);
  for (auto& value : image.pixels) value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Image sampled(const Image& source, const Affine& placement, int side) {
  Image out(side, side, 3);
  PhotoSampler sampler;
  sampler.sample(source, placement, side, out.pixels);
  return out;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

TEST(PhotoSampler, SameSideIsTheSamePhoto) {
  for (const int side : {1, 2, 37, 256}) EXPECT_EQ(sampled(noise_image(side, side), {}, side), noise_image(side, side)) << side;
}

TEST(PhotoSampler, MirrorIsExact) {
  const auto source = noise_image(64, 64), mirrored = sampled(source, Affine::mirror(), 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) ASSERT_EQ(mirrored.at(x, y, 1), source.at(63 - x, y, 1));
  }
}

TEST(PhotoSampler, ShrinkingByAWholeFactorIsTheMean) {
  const auto source = noise_image(120, 120), small = sampled(source, {}, 30);
  for (int y = 0; y < 30; ++y) {
    for (int x = 0; x < 30; ++x) {
      double sum = 0;
      for (int v = 0; v < 4; ++v) {
        for (int u = 0; u < 4; ++u) sum += source.at(4 * x + u, 4 * y + v, 2);
      }
      ASSERT_NEAR(small.at(x, y, 2), sum / 16, 0.5);
    }
  }
}

TEST(PhotoSampler, FinePatternsBecomeGreyAndNotOtherPatterns) {
  Image stripes(500, 500, 3);
  for (int y = 0; y < 500; ++y) {
    for (int x = 0; x < 500; ++x) {
      for (int c = 0; c < 3; ++c) stripes.at(x, y, c) = x % 2 == 0 ? 255 : 0;
    }
  }
  for (const int side : {256, 128, 100, 64}) {
    const auto small = sampled(stripes, {}, side);
    double mean = 0, square = 0;
    for (const auto value : small.pixels) mean += value, square += value * value;
    mean /= static_cast<double>(small.pixels.size());
    const double deviation = std::sqrt(square / static_cast<double>(small.pixels.size()) - mean * mean);
    EXPECT_NEAR(mean, 127.5, 2) << side;
    EXPECT_LT(deviation, 45) << side << ": unfiltered stripes deviate by 127";
  }
}

TEST(PhotoSampler, LongPhotosAreCentredOnWhite) {
  Image wide(80, 40, 3, 10);
  const auto out = sampled(wide, {}, 80);
  for (int y = 0; y < 80; ++y) {
    for (int x = 0; x < 80; ++x) ASSERT_EQ(out.at(x, y, 0), y >= 20 && y < 60 ? 10 : 255) << x << ", " << y;
  }
  const auto moved = sampled(wide, Affine::about_centre(0, 1, 64, 0), 80);  // a quarter of the canvas to the right
  for (int x = 0; x < 80; ++x) ASSERT_EQ(moved.at(x, 40, 0), x >= 20 ? 10 : 255) << x;
}

/// Independent: float64, straight from the definition.
Image interpolated(const Image& source, const Affine& placement, int side) {
  Image out(side, side, 3, 255);
  const double longer = std::max(source.width, source.height);
  const auto back = placement.inverse();
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const double cx = (x + 0.5) * 256 / side, cy = (y + 0.5) * 256 / side;
      const double u = (back.xx * cx + back.xy * cy + back.x0 - 128) * longer / 256 + source.width / 2.0;
      const double v = (back.yx * cx + back.yy * cy + back.y0 - 128) * longer / 256 + source.height / 2.0;
      if (u < 0 || v < 0 || u >= source.width || v >= source.height) continue;
      const double left = std::floor(u - 0.5), top = std::floor(v - 0.5), right = u - 0.5 - left, below = v - 0.5 - top;
      const auto at = [&](double column, double row, int c) {
        return source.at(static_cast<int>(std::clamp(column, 0.0, source.width - 1.0)),
                         static_cast<int>(std::clamp(row, 0.0, source.height - 1.0)), c);
      };
      for (int c = 0; c < 3; ++c) {
        out.at(x, y, c) =
            static_cast<std::uint8_t>(std::lround((1 - below) * ((1 - right) * at(left, top, c) + right * at(left + 1, top, c)) +
                                                  below * ((1 - right) * at(left, top + 1, c) + right * at(left + 1, top + 1, c))));
      }
    }
  }
  return out;
}

TEST(PhotoSampler, RotatesScalesAndShiftsLikeTheDefinition) {
  KeyedRandom random(4, Purpose::test, 0, 0);
  for (int trial = 0; trial < 40; ++trial) {
    const int width = 20 + static_cast<int>(random.below(60)), height = 20 + static_cast<int>(random.below(60));
    const int side = std::max(width, height) + static_cast<int>(random.below(40));  // no shrinking: plain interpolation
    // Smooth, so that a coordinate's last bit cannot matter much; the photo's border is a jump to white, where it may in a pixel or two.
    Image source(width, height, 3);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) source.at(x, y, c) = static_cast<std::uint8_t>(127 + 100 * std::sin(0.3 * x + 0.2 * y + c));
      }
    }
    auto placement =
        Affine::about_centre(random.uniform(-180, 180), random.uniform(0.5, 1.5), random.uniform(-60, 60), random.uniform(-60, 60));
    if (trial % 2 == 0) placement = placement.after(Affine::mirror());
    const auto found = sampled(source, placement, side), expected = interpolated(source, placement, side);
    int off = 0;
    for (std::size_t i = 0; i < found.pixels.size(); ++i) off += std::abs(found.pixels[i] - expected.pixels[i]) > 2;
    EXPECT_LE(off, 3 * 4) << "trial " << trial << ", largest difference " << largest_difference(found, expected);
  }
}

}  // namespace
}  // namespace duet
