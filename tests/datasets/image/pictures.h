#pragma once
#include <gmock/gmock.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "datasets/image/image.h"

namespace duet {

/// Smooth colours with some structure, different at every corner.
inline Image picture(int width, int height) {
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

inline double mean_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 1e9;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

/// A PNG of any layout, written with libpng directly. `rows` are as libpng wants them.
struct PngLayout {
  int width, height, depth, colour_type;
  std::vector<png_color> palette;
  std::vector<std::uint8_t> palette_alpha;
  bool interlaced = false;
};

inline std::vector<std::byte> encode_layout(const PngLayout& layout, std::vector<std::uint8_t> samples) {
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

inline std::vector<std::byte> encode_with_turbojpeg(const std::vector<std::uint8_t>& samples, int width, int height, int format,
                                                    int subsampling, int flags = 0) {
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

inline std::string complaint(const std::vector<std::byte>& bytes, const ImageLimits& limits = {}) {
  try {
    decode_image(bytes, limits, "photos/a.jpg");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

inline std::array<int, 3> pixel(const Image& image, int x, int y) { return {image.at(x, y, 0), image.at(x, y, 1), image.at(x, y, 2)}; }

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of_text(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

inline Bytes with(Bytes bytes, std::size_t at, const Bytes& added) {
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), added.begin(), added.end());
  return bytes;
}

inline std::size_t find(const Bytes& bytes, std::string_view text) {
  const auto wanted = bytes_of_text(text);
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  EXPECT_NE(found, bytes.end());
  return static_cast<std::size_t>(found - bytes.begin());
}

inline std::uint32_t checksum_of_chunk(const Bytes& chunk) {
  std::uint32_t sum = 0xffffffff;
  for (const auto byte : chunk) {
    sum ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (0xedb88320 & (0 - (sum & 1)));
  }
  return ~sum;
}

inline Bytes png_chunk(std::string_view name, const Bytes& content) {
  Bytes chunk = bytes_of_text(name);
  chunk.insert(chunk.end(), content.begin(), content.end());
  const auto number = [](std::uint64_t value) {
    Bytes bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(value >> shift & 255));
    return bytes;
  };
  return with(with(chunk, chunk.size(), number(checksum_of_chunk(chunk))), 0, number(content.size()));
}

}  // namespace duet
