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
#include <functional>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tests/datasets/image/pictures.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::byte> taken_from_libwebp(std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> bytes(begin, begin + size);
  WebPFree(data);
  return bytes;
}

std::vector<std::byte> encode_webp(const Image& image) {
  std::uint8_t* data = nullptr;
  const auto size = WebPEncodeRGB(image.pixels.data(), image.width, image.height, image.width * 3, 92, &data);
  return taken_from_libwebp(data, size);
}

/// quality 0 … 100; without loss where it is 101. The colour below transparent pixels may change.
std::vector<std::byte> encode_webp(const std::vector<std::uint8_t>& rgba, int width, int height, int quality) {
  std::uint8_t* data = nullptr;
  const auto size = quality > 100 ? WebPEncodeLosslessRGBA(rgba.data(), width, height, width * 4, &data)
                                  : WebPEncodeRGBA(rgba.data(), width, height, width * 4, static_cast<float>(quality), &data);
  return taken_from_libwebp(data, size);
}

std::vector<std::byte> encode_arithmetic(const Image& image) {
  ::setenv("TJ_ARITHMETIC", "1", 1);
  auto jpeg = encode_with_turbojpeg(image.pixels, image.width, image.height, TJPF_RGB, TJSAMP_444);
  ::unsetenv("TJ_ARITHMETIC");
  return jpeg;
}

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

/// Of a simple WebP: the byte that makes the size of its last chunk even.
std::size_t number_of_padding_bytes(const Bytes& webp) {
  std::size_t at = 12, size = 0;
  for (; at < webp.size(); at += 8 + size + size % 2) {
    size = 0;
    for (int i = 3; i >= 0; --i) size = size << 8 | std::to_integer<std::size_t>(webp.at(at + 4 + static_cast<std::size_t>(i)));
  }
  return size % 2;
}

/// EXIF data of one entry: turned by a quarter.
constexpr std::string_view kTurned("MM\0*\0\0\0\x8\0\x1\x1\x12\0\x3\0\0\0\x1\0\x6\0\0\0\0\0\0", 26);

/// picture(), from clear on the left to opaque on the right.
std::vector<std::uint8_t> fading_picture(int width, int height) {
  const auto image = picture(width, height);
  std::vector<std::uint8_t> rgba;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) rgba.push_back(image.at(x, y, c));
      rgba.push_back(static_cast<std::uint8_t>(255 * x / (width - 1)));
    }
  }
  return rgba;
}

Bytes animation_frame(int x, int y, int width, int height, const Bytes& pictures) {
  return webp_chunk("ANMF", joined({little_endian(x / 2, 3), little_endian(y / 2, 3), little_endian(width - 1, 3),
                                    little_endian(height - 1, 3), little_endian(100, 3), Bytes(1), pictures}));
}

TEST(DecodeImage, EveryCutThatTakesPixelsIsDamage) {
  constexpr int kWidth = 64, kHeight = 48;
  const auto original = picture(kWidth, kHeight);
  const auto fading = fading_picture(kWidth, kHeight);
  const auto jpeg = [&](int sampling, int flags) {
    return encode_with_turbojpeg(original.pixels, kWidth, kHeight, TJPF_RGB, sampling, flags);
  };
  const auto arithmetic = encode_arithmetic(original);
  ASSERT_EQ(arithmetic.at(find(arithmetic, "\xff\xc9")), std::byte{0xff}) << "its frame is arithmetic";
  EXPECT_LT(mean_difference(decode_image(arithmetic, {}, "arithmetic"), original), 3);
  const auto lossy = encode_webp(original);
  const auto animated =
      extended_webp(2, kWidth, kHeight, joined({webp_chunk("ANIM", Bytes(6)), animation_frame(0, 0, kWidth, kHeight, picture_of(lossy))}));
  // At the end of a PNG stands IEND, 12 bytes that say nothing. What comes before, the last checksums included, is asked for by libpng.
  constexpr std::size_t kIend = 12;
  // A JPEG ends with a marker of two bytes. It shows that no scan follows, which is seen without it where every bit of every coefficient
  // was in some scan. The bits themselves do not show that some are missing where they are coded arithmetically.
  constexpr std::size_t kEndMarker = 2;
  struct File {
    const char* name;
    Bytes whole;
    std::size_t unneeded;  ///< bytes at its end
  };
  const File files[] = {
      {"PNG", encode_png(original), kIend},
      {"transparent PNG, interlaced", encode_layout({kWidth, kHeight, 8, PNG_COLOR_TYPE_RGBA, {}, {}, true}, fading), kIend},
      {"JPEG", encode_jpeg(original, 90), kEndMarker},
      {"grey JPEG", jpeg(TJSAMP_GRAY, 0), kEndMarker},
      {"progressive JPEG", jpeg(TJSAMP_444, TJFLAG_PROGRESSIVE), kEndMarker},
      {"progressive JPEG, halved chroma", jpeg(TJSAMP_420, TJFLAG_PROGRESSIVE), kEndMarker},
      {"grey progressive JPEG", jpeg(TJSAMP_GRAY, TJFLAG_PROGRESSIVE), kEndMarker},
      {"arithmetic JPEG", arithmetic, 0},
      // libwebp compares the sizes in a WebP's headers with what is there. Only the byte that makes a size even is not needed.
      {"lossy WebP", lossy, number_of_padding_bytes(lossy)},
      {"lossless WebP", encode_webp(fading, kWidth, kHeight, 101), number_of_padding_bytes(encode_webp(fading, kWidth, kHeight, 101))},
      {"transparent lossy WebP", encode_webp(fading, kWidth, kHeight, 90),
       number_of_padding_bytes(encode_webp(fading, kWidth, kHeight, 90))},
      {"animated WebP", animated, number_of_padding_bytes(lossy)},
  };
  for (const auto& [name, whole, unneeded] : files) {
    const auto expected = decode_image(whole, {}, name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      if (size + unneeded < whole.size()) {
        ASSERT_THAT(complaint(part), StartsWith("photos/a.jpg: ")) << name << ": " << size << " of " << whole.size() << " bytes";
      } else {
        ASSERT_EQ(complaint(part), "") << name << ": " << size << " of " << whole.size() << " bytes";
        ASSERT_EQ(decode_image(part, {}, name), expected) << name << ": " << size << " of " << whole.size() << " bytes";
      }
    }
  }
}

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
  auto small_window = png;
  const auto idat = find(small_window, "IDAT");
  const auto length =
      std::to_integer<std::size_t>(small_window.at(idat - 2)) << 8 | std::to_integer<std::size_t>(small_window.at(idat - 1));
  Bytes compressed(small_window.begin() + static_cast<std::ptrdiff_t>(idat + 4),
                   small_window.begin() + static_cast<std::ptrdiff_t>(idat + 4 + length));
  compressed.at(0) = std::byte{0x08};  // 256 bytes of window, and the check bits that belong to it
  compressed.at(1) = std::byte{0x1d};
  const auto chunk = png_chunk("IDAT", compressed);
  std::copy(chunk.begin(), chunk.end(), small_window.begin() + static_cast<std::ptrdiff_t>(idat - 4));
  EXPECT_EQ(decode_image(small_window, {}, "a window that is too small"), original);
  const auto long_text = png_chunk("tEXt", joined({bytes_of_text("workflow"), Bytes(1), Bytes(9 << 20, std::byte{'x'})}));
  EXPECT_EQ(decode_image(with(png, 33, long_text), {}, "a text of 9 MiB"), original);
  const auto extended = extended_webp(8, 64, 48, joined({picture_of(webp), webp_chunk("EXIF", Bytes(100))}));
  EXPECT_EQ(decode_image(Bytes(extended.begin(), extended.end() - 50), {}, "cut behind the pixels"), decode_image(webp, {}, "webp"));
  for (const auto& whole : {jpeg, png, webp}) {
    EXPECT_EQ(decode_image(with(whole, whole.size(), bytes_of_text("and more")), {}, "more"), decode_image(whole, {}, "whole"));
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
  const auto animation = [&](int x) {
    return extended_webp(2, 64, 48,
                         joined({webp_chunk("ANIM", Bytes(6)), animation_frame(x, 20, 16, 12, picture_of(one)),
                                 animation_frame(0, 0, 64, 48, picture_of(other))}));
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

TEST(DecodeImage, TransparencyIsTheSameInEveryFormat) {
  constexpr int kWidth = 40, kHeight = 30;
  const auto fading = fading_picture(kWidth, kHeight);
  const auto png = encode_layout({kWidth, kHeight, 8, PNG_COLOR_TYPE_RGBA, {}, {}}, fading);
  const auto expected = decode_image(png, {}, "PNG");
  EXPECT_EQ(pixel(expected, 0, 0), (std::array{255, 255, 255}));
  const auto lossless = encode_webp(fading, kWidth, kHeight, 101), lossy = encode_webp(fading, kWidth, kHeight, 95);
  EXPECT_EQ(decode_image(lossless, {}, "lossless"), expected);
  EXPECT_LT(mean_difference(decode_image(lossy, {}, "lossy"), expected), 3);

  // The background that an animation names is that of a player, not of the picture.
  const auto animated = [&](const Bytes& frame) {
    return extended_webp(0x12, kWidth, kHeight, joined({webp_chunk("ANIM", joined({Bytes(4, std::byte{0x7f}), Bytes(2)})), frame, frame}));
  };
  const auto bare = [](const Bytes& webp) {
    return Bytes(webp.begin() + static_cast<std::ptrdiff_t>(find(webp, "VP8X") + 18), webp.end());
  };
  EXPECT_EQ(decode_image(animated(animation_frame(0, 0, kWidth, kHeight, picture_of(lossless))), {}, "animated, lossless"), expected);
  EXPECT_EQ(decode_image(animated(animation_frame(0, 0, kWidth, kHeight, bare(lossy))), {}, "animated, lossy"),
            decode_image(lossy, {}, "lossy"));
  const auto apng = with(with(png, png.size() - 12, png_chunk("fdAT", Bytes(20))), 33, png_chunk("acTL", Bytes(8)));
  EXPECT_EQ(decode_image(with(apng, 33, png_chunk("bKGD", Bytes(6))), {}, "animated PNG"), expected);
}

/// EXIF data with an orientation, as a number of two bytes (type 3) or four (type 4), behind another entry.
Bytes exif_of(int orientation, bool little, int type) {
  const auto number = [&](std::size_t value, int bytes) {
    auto out = little_endian(value, bytes);
    if (!little) std::reverse(out.begin(), out.end());
    return out;
  };
  const auto value = joined({number(orientation, type == 3 ? 2 : 4), Bytes(type == 3 ? 2 : 0)});
  return joined({bytes_of_text(little ? "II" : "MM"), number(42, 2), number(8, 4), number(2, 2), number(0x0100, 2), number(4, 2),
                 number(1, 4), number(6, 4), number(0x0112, 2), number(type, 2), number(1, 4), value, number(0, 4)});
}

/// As GraphicsMagick keeps EXIF data in a PNG.
Bytes exif_text(const Bytes& exif) {
  auto text = fmt::format("\nexif\n{:8}\n", exif.size());
  for (std::size_t i = 0; i < exif.size(); ++i) text += fmt::format("{:02x}{}", std::to_integer<int>(exif[i]), i % 36 == 35 ? "\n" : "");
  return png_chunk("tEXt", joined({bytes_of_text("Raw profile type exif"), Bytes(1), bytes_of_text(text + "\n")}));
}

/// A segment of metadata in a JPEG.
Bytes app1(const Bytes& content) {
  auto length = little_endian(content.size() + 2, 2);
  std::swap(length[0], length[1]);
  return joined({bytes_of_text("\xff\xe1"), length, content});
}

TEST(DecodeImage, ObeysTheOrientationOfCamerasInEveryFormat) {
  const int w = 48, h = 32;
  const auto original = picture(w, h);
  const auto jpeg = encode_jpeg(original, 95), png = encode_png(original), webp = encode_webp(original);
  const auto before_scan = find(jpeg, "\xff\xda");
  const auto word = bytes_of_text(std::string_view("Exif\0\0", 6));
  const auto xmp = [](std::string_view text) {
    return app1(joined({bytes_of_text("http://ns.adobe.com/xap/1.0/"), Bytes(1), bytes_of_text(text)}));
  };
  using MakeFile = std::function<Bytes(const Bytes& exif)>;
  const std::pair<const char*, MakeFile> files[] = {
      {"JPEG",
       [&](const Bytes& exif) {
         return with(jpeg, 2, app1(joined({word, exif})));
       }},
      {"JPEG, behind XMP",
       [&](const Bytes& exif) {
         return with(jpeg, 20, joined({xmp("<x:xmpmeta/>"), app1(joined({word, exif}))}));
       }},
      {"JPEG, last before the pixels",
       [&](const Bytes& exif) {
         return with(jpeg, before_scan, app1(joined({word, exif})));
       }},
      {"PNG", [&](const Bytes& exif) { return with(png, 33, png_chunk("eXIf", exif)); }},
      {"PNG, behind the pixels", [&](const Bytes& exif) { return with(png, png.size() - 12, png_chunk("eXIf", exif)); }},
      {"PNG, with the word",
       [&](const Bytes& exif) {
         return with(png, 33, png_chunk("eXIf", joined({word, exif})));
       }},
      {"PNG, as a text",
       [&](const Bytes& exif) {
         return with(png, 33, exif_text(joined({word, exif})));
       }},
      {"WebP",
       [&](const Bytes& exif) {
         return extended_webp(8, w, h, joined({picture_of(webp), webp_chunk("EXIF", exif)}));
       }},
      {"WebP, with the word",
       [&](const Bytes& exif) {
         return extended_webp(8, w, h, joined({picture_of(webp), webp_chunk("EXIF", joined({word, exif}))}));
       }},
      {"animated WebP",
       [&](const Bytes& exif) {
         return extended_webp(
             10, w, h, joined({webp_chunk("ANIM", Bytes(6)), animation_frame(0, 0, w, h, picture_of(webp)), webp_chunk("EXIF", exif)}));
       }},
  };
  // Where the stored picture's pixel (5, 3) is to be seen, for each orientation of the EXIF standard.
  const std::pair<int, int> seen_at[] = {{5, 3}, {w - 6, 3}, {w - 6, h - 4}, {5, h - 4}, {3, 5}, {h - 4, 5}, {h - 4, w - 6}, {3, w - 6}};
  for (const auto& [name, make] : files) {
    const auto stored = decode_image(make({}), {}, name);
    ASSERT_EQ(std::pair(stored.width, stored.height), std::pair(w, h)) << name;
    for (const bool little : {false, true}) {
      for (const int type : {3, 4}) {
        for (int orientation = 1; orientation <= 8; ++orientation) {
          const auto image = decode_image(make(exif_of(orientation, little, type)), {}, name);
          const auto [x, y] = seen_at[orientation - 1];
          ASSERT_EQ(std::pair(image.width, image.height), orientation >= 5 ? std::pair(h, w) : std::pair(w, h))
              << name << ", orientation " << orientation << ", little endian: " << little << ", type " << type;
          EXPECT_EQ(pixel(image, x, y), pixel(stored, 5, 3)) << name << ", orientation " << orientation;
        }
      }
      EXPECT_EQ(decode_image(make(exif_of(0, little, 3)), {}, name), stored) << name;
      EXPECT_EQ(decode_image(make(exif_of(9, little, 3)), {}, name), stored) << name;
      EXPECT_EQ(decode_image(make(exif_of(6, little, 2)), {}, name), stored) << name << ": a text is no orientation";
    }
  }
  const auto xmp_alone = with(jpeg, 2, xmp(R"(<x tiff:Orientation="6"/>)"));
  EXPECT_EQ(decode_image(xmp_alone, {}, "XMP alone"), decode_image(jpeg, {}, "plain"));
}

TEST(DecodeImage, TheSmallestPicturesAreReadInEveryFormat) {
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 2}, {2, 1}, {3, 3}, {1, 300}, {300, 1}}) {
    const Image original(width, height, 3, 77);  // of one colour, since most files keep colours at half the size
    const std::vector<std::uint8_t> clear(static_cast<std::size_t>(width) * height * 4);
    EXPECT_EQ(decode_image(encode_png(original), {}, "png"), original);
    EXPECT_LE(mean_difference(decode_image(encode_webp(original), {}, "webp"), original), 1);
    EXPECT_EQ(decode_image(encode_webp(clear, width, height, 101), {}, "clear webp"), Image(width, height, 3, 255));
    EXPECT_EQ(decode_image(encode_webp(clear, width, height, 90), {}, "clear lossy webp"), Image(width, height, 3, 255));
    for (const int flags : {0, TJFLAG_PROGRESSIVE}) {
      const auto jpeg = encode_with_turbojpeg(original.pixels, width, height, TJPF_RGB, TJSAMP_420, flags);
      EXPECT_LE(mean_difference(decode_image(jpeg, {}, "jpeg"), original), 1);
    }
  }
}

TEST(Encoding, IsTheSameEachTime) {
  const auto image = picture(90, 60);
  EXPECT_EQ(encode_jpeg(image, 85), encode_jpeg(image, 85));
  EXPECT_EQ(encode_png(image), encode_png(image));
  EXPECT_LT(encode_jpeg(image, 40).size(), encode_jpeg(image, 95).size());
}

}  // namespace
}  // namespace duet
