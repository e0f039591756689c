#include "datasets/image/image.h"

#include <gmock/gmock.h>
#include <malloc.h>
#include <png.h>
#include <sys/resource.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "datasets/image/jpeg_decoder.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Smooth colours with some structure, different at every corner.
Image picture(int width, int height) {
  Image image(width, height, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.at(x, y, 0) = static_cast<std::uint8_t>(20 + 200 * x / width);
      image.at(x, y, 1) = static_cast<std::uint8_t>(30 + 200 * y / height);
      image.at(x, y, 2) = static_cast<std::uint8_t>(128 + 60 * std::sin(6.0 * x / width + 4.0 * y / height));
    }
  }
  return image;
}

double mean_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 1e9;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

std::vector<std::byte> encode_webp(const Image& image) {
  std::uint8_t* data = nullptr;
  const auto size = WebPEncodeRGB(image.pixels.data(), image.width, image.height, image.width * 3, 92, &data);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  WebPFree(data);
  return bytes;
}

/// A PNG of any layout, written with libpng directly. `rows` are as libpng wants them.
struct PngLayout {
  int width, height, depth, colour_type;
  std::vector<png_color> palette;
  std::vector<std::uint8_t> palette_alpha;
  bool interlaced = false;
};

std::vector<std::byte> encode_layout(const PngLayout& layout, std::vector<std::uint8_t> samples) {
  std::vector<std::byte> bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &bytes,
      [](png_structp writer, png_bytep data, std::size_t count) {
        auto* out = static_cast<std::vector<std::byte>*>(png_get_io_ptr(writer));
        out->insert(out->end(), reinterpret_cast<std::byte*>(data), reinterpret_cast<std::byte*>(data) + count);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, layout.width, layout.height, layout.depth, layout.colour_type,
               layout.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!layout.palette.empty()) png_set_PLTE(png, info, layout.palette.data(), static_cast<int>(layout.palette.size()));
  if (!layout.palette_alpha.empty())
    png_set_tRNS(png, info, layout.palette_alpha.data(), static_cast<int>(layout.palette_alpha.size()), nullptr);
  const auto stride = samples.size() / layout.height;
  std::vector<png_bytep> rows;
  for (int y = 0; y < layout.height; ++y) rows.push_back(samples.data() + y * stride);
  png_set_rows(png, info, rows.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

std::vector<std::byte> encode_with_turbojpeg(const std::vector<std::uint8_t>& samples, int width, int height, int format, int subsampling,
                                             int flags = 0) {
  tjhandle handle = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(handle, samples.data(), width, 0, height, format, &data, &size, subsampling, 95, flags), 0);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  tjFree(data);
  tjDestroy(handle);
  return bytes;
}

std::string complaint(const std::vector<std::byte>& bytes, const ImageLimits& limits = {}) {
  try {
    decode_image(bytes, limits, "photos/a.jpg");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

std::array<int, 3> pixel(const Image& image, int x, int y) { return {image.at(x, y, 0), image.at(x, y, 1), image.at(x, y, 2)}; }

TEST(DecodeImage, TellsTheFormatsApartByContent) {
  const auto original = picture(61, 47);
  EXPECT_EQ(decode_image(encode_png(original), {}, "png"), original);
  EXPECT_LT(mean_difference(decode_image(encode_jpeg(original, 95), {}, "jpeg"), original), 3);
  EXPECT_LT(mean_difference(decode_image(encode_webp(original), {}, "webp"), original), 4);
}

TEST(DecodeImage, RefusesEverythingElseAndSaysWhatItIs) {
  const auto bytes = [](std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return std::vector<std::byte>(begin, begin + text.size());
  };
  EXPECT_THAT(complaint({}), AllOf(StartsWith("photos/a.jpg: "), HasSubstr("empty")));
  EXPECT_THAT(complaint(bytes("GIF89a......")), HasSubstr("GIF"));
  EXPECT_THAT(complaint(bytes("<!DOCTYPE html>")), HasSubstr("HTML"));
  EXPECT_THAT(complaint(bytes("\x01\x02\x03\x04\x05")), HasSubstr("01 02 03 04"));
}

TEST(DecodeImage, TruncationAnywhereIsDamage) {
  const auto original = picture(64, 48);
  for (const auto& whole : {encode_png(original), encode_jpeg(original, 90), encode_webp(original),
                            encode_with_turbojpeg(original.pixels, 64, 48, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE)}) {
    ASSERT_EQ(complaint(whole), "");
    for (std::size_t size = 1; size + 13 < whole.size(); size += 1 + whole.size() / 97) {
      const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      ASSERT_THAT(complaint(part), StartsWith("photos/a.jpg: ")) << size << " of " << whole.size() << " bytes";
    }
  }
}

using Bytes = std::vector<std::byte>;

Bytes bytes_of_text(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

Bytes with(Bytes bytes, std::size_t at, const Bytes& added) {
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), added.begin(), added.end());
  return bytes;
}

std::size_t find(const Bytes& bytes, std::string_view text) {
  const auto wanted = bytes_of_text(text);
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  EXPECT_NE(found, bytes.end());
  return static_cast<std::size_t>(found - bytes.begin());
}

std::uint32_t checksum_of_chunk(const Bytes& chunk) {
  std::uint32_t sum = 0xffffffff;
  for (const auto byte : chunk) {
    sum ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (0xedb88320 & (0 - (sum & 1)));
  }
  return ~sum;
}

Bytes png_chunk(std::string_view name, const Bytes& content) {
  Bytes chunk = bytes_of_text(name);
  chunk.insert(chunk.end(), content.begin(), content.end());
  const auto number = [](std::uint64_t value) {
    Bytes bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(value >> shift & 255));
    return bytes;
  };
  return with(with(chunk, chunk.size(), number(checksum_of_chunk(chunk))), 0, number(content.size()));
}

/// `value` in so many bytes, the lowest first.
Bytes little_endian(std::size_t value, int bytes) {
  Bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> 8 * i & 255));
  return out;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Bytes webp_chunk(std::string_view name, const Bytes& content) {
  return joined({bytes_of_text(name), little_endian(content.size(), 4), content, Bytes(content.size() % 2)});
}

/// A WebP of the extended form: flags, canvas, chunks.
Bytes extended_webp(int flags, int width, int height, const Bytes& chunks) {
  const auto head = webp_chunk("VP8X", joined({little_endian(flags, 4), little_endian(width - 1, 3), little_endian(height - 1, 3)}));
  return joined({bytes_of_text("RIFF"), little_endian(4 + head.size() + chunks.size(), 4), bytes_of_text("WEBP"), head, chunks});
}

/// The chunk with the picture of a simple WebP.
Bytes picture_of(const Bytes& webp) { return {webp.begin() + 12, webp.end()}; }

/// EXIF data of one entry: turned by a quarter.
constexpr std::string_view kTurned("MM\0*\0\0\0\x8\0\x1\x1\x12\0\x3\0\0\0\x1\0\x6\0\0\0\0\0\0", 26);

TEST(DecodeImage, WhatLeavesThePixelsWholeIsNoDamage) {
  const auto original = picture(64, 48);
  const auto jpeg = encode_jpeg(original, 90), png = encode_png(original), webp = encode_webp(original);
  const auto expected = decode_image(jpeg, {}, "jpeg");
  auto odd = jpeg;
  odd.at(find(jpeg, "\xff\xda") + 12) = std::byte{0};  // the scan header says that its spectrum ends at 0
  EXPECT_EQ(decode_image(odd, {}, "odd scan header"), expected);
  odd = with(odd, odd.size() - 2, bytes_of_text(std::string_view("\0\x12\x34\0", 4)));
  EXPECT_EQ(decode_image(odd, {}, "bytes before the end marker"), expected);
  const auto broken_table = bytes_of_text(std::string_view("\xff\xc4\0\x3\x99", 5));
  EXPECT_EQ(decode_image(with(jpeg, jpeg.size() - 2, broken_table), {}, "a broken segment before the end marker"), expected);
  // A harmless warning must not hide that which follows it.
  EXPECT_THAT(complaint({odd.begin(), odd.end() - 60}), HasSubstr("not a whole JPEG"));
  odd = jpeg;
  odd.at(find(jpeg, "JFIF") + 5) = std::byte{9};
  EXPECT_EQ(decode_image(odd, {}, "version 9 of JFIF"), expected);
  EXPECT_EQ(decode_image(Bytes(jpeg.begin(), jpeg.end() - 2), {}, "no end marker"), expected);

  EXPECT_EQ(decode_image(Bytes(png.begin(), png.end() - 12), {}, "no IEND"), original);
  EXPECT_THAT(complaint(Bytes(png.begin(), png.end() - 13)), HasSubstr("not a whole PNG"));
  const auto text = bytes_of_text(std::string_view("\0\0\0\x3tEXta\0b....", 15));  // with a wrong checksum
  EXPECT_EQ(decode_image(with(png, 33, text), {}, "damaged text"), original);
  EXPECT_EQ(decode_image(with(png, png.size() - 12, text), {}, "damaged text after the pixels"), original);
  const auto long_text = png_chunk("tEXt", joined({bytes_of_text("workflow"), Bytes(1), Bytes(9 << 20, std::byte{'x'})}));
  EXPECT_EQ(decode_image(with(png, 33, long_text), {}, "a text of 9 MiB"), original);
  const auto extended = extended_webp(8, 64, 48, joined({picture_of(webp), webp_chunk("EXIF", Bytes(100))}));
  EXPECT_EQ(decode_image(Bytes(extended.begin(), extended.end() - 50), {}, "cut behind the pixels"), decode_image(webp, {}, "webp"));
  for (const auto& whole : {jpeg, png, webp}) {
    EXPECT_EQ(decode_image(with(whole, whole.size(), bytes_of_text("and more")), {}, "more"), decode_image(whole, {}, "whole"));
  }
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

TEST(DecodeImage, ExifIsReadInEveryFormat) {
  const auto original = picture(64, 48);
  const auto turned = [](const Bytes& bytes) {
    const auto image = decode_image(bytes, {}, "turned");
    return image.width == 48 && image.height == 64;
  };
  const auto exif = bytes_of_text(kTurned);
  const auto jpeg = encode_jpeg(original, 90);
  const auto segment = [](std::string_view content) {
    return with(bytes_of_text(std::string{"\xff\xe1\0", 3} + static_cast<char>(8 + content.size()) + std::string("Exif\0\0", 6)), 10,
                bytes_of_text(content));
  };
  EXPECT_TRUE(turned(with(jpeg, 2, segment(kTurned))));
  EXPECT_TRUE(turned(with(jpeg, 20, joined({bytes_of_text("odd"), segment(kTurned)})))) << "bytes that belong to nothing before it";
  // Only the first EXIF segment counts, and what it claims beyond its own size is not read.
  const std::string_view claims("II*\0\x8\0\0\0\xff\xff", 10);
  EXPECT_FALSE(turned(with(with(jpeg, 2, segment(kTurned)), 2, segment(claims))));

  const auto png = encode_png(original);
  const auto chunk = png_chunk("eXIf", exif);
  EXPECT_TRUE(turned(with(png, 33, chunk)));
  EXPECT_TRUE(turned(with(png, png.size() - 12, chunk)));

  const auto webp = extended_webp(8, 64, 48, joined({picture_of(encode_webp(original)), webp_chunk("EXIF", exif)}));
  EXPECT_TRUE(turned(webp));
}

TEST(DecodeImage, OfSeveralPicturesTheFirstIsTaken) {
  const auto one = encode_webp(picture(16, 12)), other = encode_webp(Image(64, 48, 3, 90));
  const auto frame = [](int x, int y, int width, int height, const Bytes& webp) {
    return webp_chunk("ANMF", joined({little_endian(x / 2, 3), little_endian(y / 2, 3), little_endian(width - 1, 3),
                                      little_endian(height - 1, 3), little_endian(100, 3), Bytes(1), picture_of(webp)}));
  };
  const auto animation = [&](int x) {
    return extended_webp(2, 64, 48, joined({webp_chunk("ANIM", Bytes(6)), frame(x, 20, 16, 12, one), frame(0, 0, 64, 48, other)}));
  };
  const auto image = decode_image(animation(40), {}, "animated WebP"), part = decode_image(one, {}, "its first picture");
  EXPECT_EQ(std::pair(image.width, image.height), std::pair(64, 48));
  EXPECT_EQ(pixel(image, 5, 5), (std::array{255, 255, 255})) << "where the first picture has nothing";
  EXPECT_EQ(pixel(image, 40, 20), pixel(part, 0, 0));
  EXPECT_EQ(pixel(image, 55, 31), pixel(part, 15, 11));
  EXPECT_THAT(complaint(animation(50)), HasSubstr("damaged")) << "reaches beyond the canvas";
  EXPECT_NE(complaint(extended_webp(2, 64, 48, webp_chunk("ANIM", Bytes(6)))), "") << "no picture at all";

  const auto original = picture(64, 48);
  auto png = encode_png(original);
  png = with(png, png.size() - 12, png_chunk("fdAT", Bytes(20)));
  png = with(png, 33, png_chunk("acTL", Bytes(8)));
  EXPECT_EQ(decode_image(png, {}, "animated PNG"), original);
}

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

TEST(DecodeImage, ArithmeticCodingThatIsCutIsDamage) {
  const auto original = picture(64, 48);
  ::setenv("TJ_ARITHMETIC", "1", 1);
  const auto jpeg = encode_with_turbojpeg(original.pixels, 64, 48, TJPF_RGB, TJSAMP_444);
  ::unsetenv("TJ_ARITHMETIC");
  ASSERT_EQ(jpeg.at(find(jpeg, "\xff\xc9")), std::byte{0xff}) << "its frame is arithmetic";
  EXPECT_LT(mean_difference(decode_image(jpeg, {}, "jpeg"), original), 3);
  for (std::size_t size = find(jpeg, "\xff\xda") + 14; size + 2 < jpeg.size(); size += 7)
    ASSERT_THAT(complaint({jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(size)}), HasSubstr("not a whole JPEG")) << size;
}

TEST(DecodeImageDeathTest, MemoryThatIsUsedUpIsNoDamage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto original = picture(600, 400);
  const std::vector<Bytes> files = {encode_png(original), encode_jpeg(original, 90), encode_webp(original),
                                    encode_with_turbojpeg(original.pixels, 600, 400, TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE)};
  const auto work = [&] {
    // Each step lets a little more memory be taken; what is not granted must be said as such, never as a fault of the file.
    for (const auto& file : files) {
      bool refused = false, done = false;
      for (rlim_t more = 0; !done && more < (rlim_t{64} << 20); more += 128 << 10) {
        ::malloc_trim(0);
        rlim_t pages = 0;
        if (auto* statm = std::fopen("/proc/self/statm", "r")) {
          if (std::fscanf(statm, "%lu", &pages) != 1) std::_Exit(2);
          std::fclose(statm);
        }
        const rlimit little{pages * 4096 + more, RLIM_INFINITY}, all{RLIM_INFINITY, RLIM_INFINITY};
        ::setrlimit(RLIMIT_AS, &little);
        int fault = 0;
        try {
          encode_jpeg(decode_image(file, {}, "photo"), 90);
          done = true;
        } catch (const std::bad_alloc&) {
          refused = true;
        } catch (const Error&) {
          fault = 1;
        }
        ::setrlimit(RLIMIT_AS, &all);
        if (fault != 0) std::_Exit(1);
      }
      if (!done || !refused) std::_Exit(3);
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(work(), ::testing::ExitedWithCode(0), "");
}

TEST(DecodeImage, SurvivesDamageEverywhere) {
  // What comes back may be a wrong picture (there is no checksum in a JPEG), but never a crash or an exception of another kind.
  KeyedRandom random(1, Purpose::test, 0, 0);
  const auto original = picture(40, 33);
  for (const auto& whole : {encode_png(original), encode_jpeg(original, 80), encode_webp(original)}) {
    for (int trial = 0; trial < 400; ++trial) {
      auto damaged = whole;
      for (int k = 0; k < 3; ++k) damaged[random.below(damaged.size())] = static_cast<std::byte>(random.below(256));
      try {
        const auto image = decode_image(damaged, {.max_side = 2000, .max_pixels = 1'000'000}, "damaged");
        EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height * 3);
      } catch (const DataError& error) {
        EXPECT_THAT(error.what(), StartsWith("damaged: "));
      }
    }
  }
}

TEST(DecodeImage, RefusesSizesBeforeTakingMemory) {
  // 65,500 x 65,500 pixels would be 12 GB; the header is that of a small file.
  auto jpeg = encode_jpeg(picture(64, 64), 90);
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xff} && jpeg[i + 1] == std::byte{0xc0}) {
      const std::array<std::byte, 4> huge{std::byte{0xff}, std::byte{0xdc}, std::byte{0xff}, std::byte{0xdc}};
      std::copy(huge.begin(), huge.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(i) + 5);
      break;
    }
  }
  EXPECT_THAT(complaint(jpeg), AllOf(StartsWith("photos/a.jpg: "), HasSubstr("65500 x 65500"), HasSubstr("20000")));

  const auto small = picture(300, 200);
  for (const auto& file : {encode_jpeg(small, 90), encode_png(small), encode_webp(small)}) {
    EXPECT_THAT(complaint(file, {.max_side = 299}), AllOf(HasSubstr("300 x 200"), HasSubstr("299")));
    EXPECT_THAT(complaint(file, {.max_pixels = 59'999}), AllOf(HasSubstr("60000"), HasSubstr("59999")));
    EXPECT_EQ(complaint(file, {.max_side = 300, .max_pixels = 60'000}), "");
  }
}

TEST(DecodeImage, GreyBecomesThreeEqualChannels) {
  Image grey(20, 10, 1);
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = static_cast<std::uint8_t>(i);
  const auto png = decode_image(encode_png(grey), {}, "png"), jpeg = decode_image(encode_jpeg(grey, 100), {}, "jpeg");
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(pixel(png, i % 20, i / 20), (std::array{i, i, i}));
    const auto [r, g, b] = pixel(jpeg, i % 20, i / 20);
    ASSERT_TRUE(r == g && g == b && std::abs(r - i) <= 3) << i;
  }
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

TEST(DecodeImage, TransparencyLiesOnWhite) {
  const auto image = decode_image(
      encode_layout({2, 2, 8, PNG_COLOR_TYPE_RGBA, {}, {}}, {200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 128, 0, 0, 0, 51}), {}, "rgba");
  EXPECT_EQ(pixel(image, 0, 0), (std::array{200, 100, 0}));
  EXPECT_EQ(pixel(image, 1, 0), (std::array{255, 255, 255}));
  EXPECT_EQ(pixel(image, 0, 1), (std::array{227, 177, 127}));
  EXPECT_EQ(pixel(image, 1, 1), (std::array{204, 204, 204}));
}

TEST(DecodeImage, ReadsPalettesSixteenBitsAndInterlacing) {
  const auto palette =
      decode_image(encode_layout({2, 1, 8, PNG_COLOR_TYPE_PALETTE, {{10, 20, 30}, {40, 50, 60}}, {255, 0}}, {0, 1}), {}, "palette");
  EXPECT_EQ(pixel(palette, 0, 0), (std::array{10, 20, 30}));
  EXPECT_EQ(pixel(palette, 1, 0), (std::array{255, 255, 255})) << "its second colour is transparent";

  const auto deep = decode_image(encode_layout({1, 1, 16, PNG_COLOR_TYPE_RGB, {}, {}}, {0xff, 0xff, 0x80, 0x80, 0x01, 0x01}), {}, "deep");
  EXPECT_EQ(pixel(deep, 0, 0), (std::array{255, 128, 1}));

  const auto bits = decode_image(encode_layout({8, 1, 1, PNG_COLOR_TYPE_GRAY, {}, {}}, {0b10100000}), {}, "bits");
  EXPECT_EQ(pixel(bits, 0, 0), (std::array{255, 255, 255}));
  EXPECT_EQ(pixel(bits, 1, 0), (std::array{0, 0, 0}));

  const auto original = picture(33, 21);
  EXPECT_EQ(decode_image(encode_layout({33, 21, 8, PNG_COLOR_TYPE_RGB, {}, {}, true}, original.pixels), {}, "interlaced"), original);
}

TEST(DecodeImage, ObeysTheOrientationOfCameras) {
  // EXIF orientation 6: the camera was held so that the stored picture must be turned clockwise. Little-endian TIFF with one entry.
  const auto upright = picture(48, 32);
  const auto plain = encode_jpeg(upright, 95);
  const auto with_orientation = [&](int orientation) {
    std::vector<int> segment{0xff, 0xe1, 0,    34,   'E', 'x', 'i', 'f', 0, 0, 'I',         'I', 42, 0, 8, 0, 0, 0,
                             1,    0,    0x12, 0x01, 3,   0,   1,   0,   0, 0, orientation, 0,   0,  0, 0, 0, 0, 0};
    std::vector<std::byte> bytes(plain.begin(), plain.begin() + 2);
    for (const int value : segment) bytes.push_back(static_cast<std::byte>(value));
    bytes.insert(bytes.end(), plain.begin() + 2, plain.end());
    return decode_image(bytes, {}, "exif");
  };
  const auto stored = decode_image(plain, {}, "plain");
  // Where the stored picture's pixel (5, 3) is to be seen, for each orientation of the EXIF standard.
  const int w = 48, h = 32;
  const std::pair<int, int> seen_at[] = {{5, 3}, {w - 6, 3}, {w - 6, h - 4}, {5, h - 4}, {3, 5}, {h - 4, 5}, {h - 4, w - 6}, {3, w - 6}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto image = with_orientation(orientation);
    EXPECT_EQ(image.width, orientation >= 5 ? h : w);
    const auto [x, y] = seen_at[orientation - 1];
    EXPECT_EQ(pixel(image, x, y), pixel(stored, 5, 3)) << "orientation " << orientation;
  }
  EXPECT_EQ(with_orientation(9), stored);
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

TEST(Resize, AveragesWhatFallsTogether) {
  Image board(128, 128, 1);  // a checkerboard of single pixels: without averaging it shrinks to stripes
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) board.at(x, y, 0) = (x + y) % 2 == 0 ? 255 : 0;
  }
  for (const int side : {64, 50, 37, 16}) {
    for (const auto value : resize(board, side, side).pixels) ASSERT_NEAR(value, 127.5, 12) << "to " << side;
  }
}

TEST(Resize, KeepsFlatColoursAndGradients) {
  EXPECT_EQ(resize(Image(50, 30, 3, 199), 77, 12), Image(77, 12, 3, 199));
  EXPECT_LT(mean_difference(resize(picture(200, 150), 100, 75), picture(100, 75)), 1.5);
  EXPECT_LT(mean_difference(resize(picture(100, 75), 200, 150), picture(200, 150)), 1.5);
}

TEST(FitLongestSide, KeepsTheAspectRatioAndNeverEnlarges) {
  const auto wide = fit_longest_side(picture(400, 100), 256);
  EXPECT_EQ(std::pair(wide.width, wide.height), std::pair(256, 64));
  const auto tall = fit_longest_side(picture(10, 3000), 256);
  EXPECT_EQ(std::pair(tall.width, tall.height), std::pair(1, 256));
  EXPECT_EQ(fit_longest_side(picture(200, 256), 256), picture(200, 256));
}

TEST(Encoding, IsTheSameEachTime) {
  const auto image = picture(90, 60);
  EXPECT_EQ(encode_jpeg(image, 85), encode_jpeg(image, 85));
  EXPECT_EQ(encode_png(image), encode_png(image));
  EXPECT_LT(encode_jpeg(image, 40).size(), encode_jpeg(image, 95).size());
}

}  // namespace
}  // namespace duet
