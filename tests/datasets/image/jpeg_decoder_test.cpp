#include "datasets/image/jpeg_decoder.h"

#include <gmock/gmock.h>
#include <turbojpeg.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tests/datasets/image/pictures.h"

namespace duet {
namespace {

using ::testing::StartsWith;

/// A progressive JPEG's parts: all before the first scan, each scan with its tables, the end marker.
std::vector<Bytes> scans_of(const Bytes& jpeg) {
  std::vector<Bytes> parts(1);
  bool after_scan = true;  // tables then belong to the next one
  std::size_t at = 2;
  parts.back().assign(jpeg.begin(), jpeg.begin() + 2);
  while (at + 2 <= jpeg.size()) {
    const auto marker = std::to_integer<int>(jpeg[at + 1]);
    std::size_t end = at + 2;
    if (marker != 0xd9) end += std::to_integer<std::size_t>(jpeg[at + 2]) << 8 | std::to_integer<std::size_t>(jpeg[at + 3]);
    if (marker == 0xda)
      while (jpeg[end] != std::byte{0xff} || jpeg[end + 1] == std::byte{0}) ++end;
    if (after_scan && (marker == 0xc4 || marker == 0xda || marker == 0xd9)) parts.emplace_back();
    after_scan = marker == 0xda || (after_scan && marker != 0xc4);
    parts.back().insert(parts.back().end(), jpeg.begin() + static_cast<std::ptrdiff_t>(at),
                        jpeg.begin() + static_cast<std::ptrdiff_t>(end));
    at = end;
  }
  return parts;
}

TEST(DecodeImage, AScanThatIsMissingIsDamageWhereNoMarkerEndsTheFile) {
  const auto original = picture(64, 48);
  const auto parts = scans_of(encode_with_turbojpeg(original.pixels, 64, 48, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE));
  Bytes part;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    EXPECT_THAT(complaint(part), StartsWith("photos/a.jpg: ")) << "before part " << i;
    part.insert(part.end(), parts[i].begin(), parts[i].end());
  }
  EXPECT_EQ(complaint(part), "") << "all but the marker";
}

TEST(DecodeImage, ReadsChromaSampledInAnyWay) {
  // Neutral chroma: what the headers say of its sampling then changes only how many blocks there are. Every block is "the same as before".
  for (const auto& [luma, blue, red] : {std::tuple{0x42, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x13, 0x11, 0x11}, {0x22, 0x12, 0x21}}) {
    auto jpeg = encode_with_turbojpeg(std::vector<std::uint8_t>(3 * 16 * 16, 128), 16, 16, TJPF_RGB, TJSAMP_444);
    const auto frame = find(jpeg, "\xff\xc0");
    jpeg.at(frame + 11) = static_cast<std::byte>(luma);
    jpeg.at(frame + 14) = static_cast<std::byte>(blue);
    jpeg.at(frame + 17) = static_cast<std::byte>(red);
    // Zero bits mean "no difference" in the tables of every encoder: 00 for the DC, and an AC block ends with 1010 (luma) or 00 (chroma).
    const auto scan = find(jpeg, "\xff\xda") + 14;
    Bytes bits;
    const int blocks = (luma >> 4) * (luma & 15), rest = (blue >> 4) * (blue & 15) + (red >> 4) * (red & 15);
    std::string code;
    const int across = (16 + 8 * (luma >> 4) - 1) / (8 * (luma >> 4)), down = (16 + 8 * (luma & 15) - 1) / (8 * (luma & 15));
    for (int unit = 0; unit < across * down; ++unit) {
      for (int i = 0; i < blocks; ++i) code += "001010";
      for (int i = 0; i < rest; ++i) code += "0000";
    }
    while (code.size() % 8 != 0) code += '1';
    for (std::size_t i = 0; i < code.size(); i += 8) bits.push_back(static_cast<std::byte>(std::stoi(code.substr(i, 8), nullptr, 2)));
    jpeg.resize(scan);
    jpeg.insert(jpeg.end(), bits.begin(), bits.end());
    const auto end = bytes_of_text("\xff\xd9");
    jpeg.insert(jpeg.end(), end.begin(), end.end());
    EXPECT_EQ(complaint(jpeg), "") << std::hex << luma << ' ' << blue << ' ' << red;
  }
}

TEST(DecodeImage, ScansInAnUnusualOrderAreNoDamage) {
  const auto original = picture(64, 48);
  const auto jpeg = encode_with_turbojpeg(original.pixels, 64, 48, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE);
  auto parts = scans_of(jpeg);
  ASSERT_GT(parts.size(), 6u);
  std::swap(parts[1], parts[2]);
  Bytes swapped;
  for (const auto& part : parts) swapped.insert(swapped.end(), part.begin(), part.end());
  ASSERT_EQ(swapped.size(), jpeg.size());
  ASSERT_NE(swapped, jpeg);
  EXPECT_EQ(decode_image(swapped, {}, "swapped"), decode_image(jpeg, {}, "jpeg"));
}

TEST(DecodeImage, CmykBecomesRgb) {
  // As Adobe stores it, inverted: full red is no cyan (255), all magenta (0), all yellow (0), no black (255).
  std::vector<std::uint8_t> cmyk;
  for (int i = 0; i < 16 * 16; ++i) cmyk.insert(cmyk.end(), {255, 0, 0, 255});
  const auto image = decode_image(encode_with_turbojpeg(cmyk, 16, 16, TJPF_CMYK, TJSAMP_444), {}, "cmyk");
  const auto [r, g, b] = pixel(image, 8, 8);
  EXPECT_GT(r, 250);
  EXPECT_LT(g, 5);
  EXPECT_LT(b, 5);
}

TEST(JpegDecoder, DecodesSmallerWhenThatSuffices) {
  JpegDecoder decoder;
  const auto bytes = encode_jpeg(picture(400, 320), 92);
  Image out;
  for (const auto& [sufficient, width, height] :
       {std::tuple{0, 400, 320}, {161, 400, 320}, {160, 200, 160}, {81, 200, 160}, {80, 100, 80}, {1, 50, 40}}) {
    decoder.decode(bytes, sufficient, "photo", out);
    EXPECT_EQ(std::pair(out.width, out.height), std::pair(width, height)) << "for " << sufficient;
    EXPECT_LT(mean_difference(out, resize(picture(400, 320), width, height)), 5);
  }
}

TEST(JpegDecoder, GivesThePixelsOfTurboJpeg) {
  const auto original = picture(203, 150);
  for (const int sampling : {TJSAMP_444, TJSAMP_422, TJSAMP_420, TJSAMP_GRAY, TJSAMP_440, TJSAMP_411}) {
    for (const int flags : {0, TJFLAG_PROGRESSIVE}) {
      const auto jpeg = encode_with_turbojpeg(original.pixels, 203, 150, TJPF_RGB, sampling, flags);
      for (const int denominator : {1, 2, 4, 8}) {
        Image image;
        JpegDecoder().decode(jpeg, 150 / denominator, "jpeg", image);
        Image expected(TJSCALED(203, (tjscalingfactor{1, denominator})), TJSCALED(150, (tjscalingfactor{1, denominator})), 3);
        tjhandle handle = tjInitDecompress();
        ASSERT_EQ(tjDecompress2(handle, reinterpret_cast<const unsigned char*>(jpeg.data()), jpeg.size(), expected.pixels.data(),
                                expected.width, 0, expected.height, TJPF_RGB, 0),
                  0);
        tjDestroy(handle);
        EXPECT_EQ(image, expected) << sampling << ' ' << flags << ' ' << denominator;
      }
    }
  }
}

TEST(JpegDecoder, GoesOnAfterADamagedPhotoAndReusesMemory) {
  JpegDecoder decoder;
  const auto good = encode_jpeg(picture(100, 100), 90);
  Image out;
  decoder.decode(good, 0, "good", out);
  const auto expected = out;
  const auto* memory = out.pixels.data();
  const std::vector<std::byte> bad(good.begin(), good.begin() + 700);
  EXPECT_THROW(decoder.decode(bad, 0, "bad", out), DataError);
  decoder.decode(good, 0, "good", out);
  EXPECT_EQ(out, expected);
  EXPECT_EQ(out.pixels.data(), memory);
}

}  // namespace
}  // namespace duet
