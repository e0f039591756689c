#include "datasets/image/formats.h"

#include <gmock/gmock.h>
#include <png.h>

#include <array>
#include <initializer_list>
#include <vector>

#include "tests/datasets/image/pictures.h"

namespace duet {
namespace {

TEST(DecodeImage, TransparencyLiesOnWhite) {
  const auto image = decode_image(
      encode_layout({2, 2, 8, PNG_COLOR_TYPE_RGBA, {}, {}}, {200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 128, 0, 0, 0, 51}), {}, "rgba");
  EXPECT_EQ(pixel(image, 0, 0), (std::array{200, 100, 0}));
  EXPECT_EQ(pixel(image, 1, 0), (std::array{255, 255, 255}));
  EXPECT_EQ(pixel(image, 0, 1), (std::array{227, 177, 127}));
  EXPECT_EQ(pixel(image, 1, 1), (std::array{204, 204, 204}));

  const auto grey = decode_image(encode_layout({3, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, {}, {}}, {90, 255, 90, 0, 0, 51}), {}, "grey, alpha");
  EXPECT_EQ(grey.pixels, (std::vector<std::uint8_t>{90, 90, 90, 255, 255, 255, 204, 204, 204}));
  const auto deep = decode_image(
      encode_layout({2, 1, 16, PNG_COLOR_TYPE_RGBA, {}, {}}, {0x80, 0x80, 1, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x33, 0x33}), {},
      "deep");
  EXPECT_EQ(deep.pixels, (std::vector<std::uint8_t>{128, 1, 0, 204, 204, 204}));
}

TEST(DecodeImage, OneColourMayBeTransparent) {
  const auto decoded = [](const PngLayout& layout, const std::vector<std::uint8_t>& samples, const Bytes& colour) {
    return decode_image(with(encode_layout(layout, samples), 33, png_chunk("tRNS", colour)), {}, "a transparent colour").pixels;
  };
  const auto greys = [](std::initializer_list<int> values) {
    std::vector<std::uint8_t> pixels;
    for (const int value : values) pixels.insert(pixels.end(), 3, static_cast<std::uint8_t>(value));
    return pixels;
  };
  const auto colour = [](std::initializer_list<int> values) {
    Bytes bytes;
    for (const int value : values) bytes.insert(bytes.end(), {static_cast<std::byte>(value >> 8), static_cast<std::byte>(value & 255)});
    return bytes;
  };
  // The colour is compared in the file's own number of bits, before it is made 8.
  EXPECT_EQ(decoded({8, 1, 1, PNG_COLOR_TYPE_GRAY, {}, {}}, {0b01010101}, colour({0})), greys({255, 255, 255, 255, 255, 255, 255, 255}));
  EXPECT_EQ(decoded({4, 1, 2, PNG_COLOR_TYPE_GRAY, {}, {}}, {0b00011011}, colour({1})), greys({0, 255, 170, 255}));
  EXPECT_EQ(decoded({4, 1, 4, PNG_COLOR_TYPE_GRAY, {}, {}}, {0x0a, 0x5f}, colour({10})), greys({0, 255, 85, 255}));
  EXPECT_EQ(decoded({3, 1, 8, PNG_COLOR_TYPE_GRAY, {}, {}}, {7, 8, 9}, colour({8})), greys({7, 255, 9}));
  EXPECT_EQ(decoded({3, 1, 16, PNG_COLOR_TYPE_GRAY, {}, {}}, {8, 8, 8, 9, 9, 9}, colour({0x0808})), greys({255, 8, 9}));
  EXPECT_EQ(decoded({2, 1, 8, PNG_COLOR_TYPE_RGB, {}, {}}, {1, 2, 3, 1, 2, 4}, colour({1, 2, 3})),
            (std::vector<std::uint8_t>{255, 255, 255, 1, 2, 4}));
  EXPECT_EQ(decoded({2, 1, 16, PNG_COLOR_TYPE_RGB, {}, {}}, {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 4}, colour({0x101, 0x202, 0x303})),
            (std::vector<std::uint8_t>{255, 255, 255, 1, 2, 3}));
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

}  // namespace
}  // namespace duet
