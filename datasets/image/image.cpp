#include "datasets/image/image.h"

#include <cstring>
#include <string_view>

#include "base/error.h"
#include "datasets/image/formats.h"

namespace duet {
namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

/// What a user may have given instead; for the message only.
std::string describe(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "it is empty";
  if (begins_with(bytes, "GIF8")) return "it is a GIF";
  if (begins_with(bytes, "BM")) return "it looks like a BMP";
  if (begins_with(bytes, "II*") || begins_with(bytes, {"MM\0*", 4})) return "it is a TIFF";
  if (begins_with(bytes, "ftypavif", 4) || begins_with(bytes, "ftypheic", 4)) return "it is an AVIF or HEIC file";
  if (begins_with(bytes, "<")) return "it looks like HTML, XML or SVG";
  std::string start;
  for (std::size_t i = 0; i < bytes.size() && i < 4; ++i) start += fmt::format(" {:02x}", std::to_integer<int>(bytes[i]));
  return "it begins with the bytes" + start;
}

}  // namespace

Image decode_image(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject) {
  if (begins_with(bytes, "\xff\xd8\xff")) return decode_jpeg(bytes, limits, subject);
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return decode_png(bytes, limits, subject);
  if (begins_with(bytes, "RIFF") && begins_with(bytes, "WEBP", 8)) return decode_webp(bytes, limits, subject);
  throw DataError("{}: not a JPEG, PNG or WebP image; {}.", subject, describe(bytes));
}

void check_image_size(std::int64_t width, std::int64_t height, const ImageLimits& limits, const std::string& subject) {
  if (width < 1 || height < 1) throw DataError("{}: the header says {} x {} pixels.", subject, width, height);
  if (width > limits.max_side || height > limits.max_side) {
    throw DataError("{}: the header says {} x {} pixels; a side may have at most {}.", subject, width, height, limits.max_side);
  }
  if (width * height > limits.max_pixels) {
    throw DataError("{}: the header says {} x {} = {} pixels; at most {} are read.", subject, width, height, width * height,
                    limits.max_pixels);
  }
}

Image lay_on_white(std::span<const std::uint8_t> rgba, int width, int height) {
  Image image(width, height, 3);
  const auto pixels = static_cast<std::size_t>(width) * height;
  for (std::size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (int c = 0; c < 3; ++c) {
      image.pixels[3 * i + c] = static_cast<std::uint8_t>((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return image;
}

}  // namespace duet
