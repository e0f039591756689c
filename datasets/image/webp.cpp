#include <webp/decode.h>

#include <cstring>
#include <new>

#include "base/error.h"
#include "datasets/image/formats.h"

namespace duet {
namespace {

const char* reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "the file ends too early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses a feature libwebp does not know";
    default:
      return "its data is damaged";
  }
}

/// What the EXIF chunk says; 1 where there is none. Chunks: four letters, the size (little endian), that many bytes, padded to an even
/// number.
int orientation(std::span<const std::byte> bytes) {
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[at + i]); };
    const auto size = byte(4) | byte(5) << 8 | byte(6) << 16 | byte(7) << 24;
    if (size > bytes.size() - at - 8) break;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0) return exif_orientation(bytes.subspan(at + 8, size));
    at += 8 + size + size % 2;
  }
  return 1;
}

}  // namespace

Image decode_webp(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw InternalError("libwebp is of another version than this program was built for.");
  auto status = WebPGetFeatures(data, bytes.size(), &config.input);
  if (status != VP8_STATUS_OK) throw DataError("{}: not a whole WebP: {}.", subject, reason(status));
  if (config.input.has_animation) throw DataError("{}: an animated WebP; save one of its pictures by itself.", subject);
  const int width = config.input.width, height = config.input.height;
  check_image_size(width, height, limits, subject);

  const auto stride = static_cast<std::size_t>(width) * 4;
  std::vector<std::uint8_t> rgba(stride * height);
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {rgba.data(), static_cast<int>(stride), rgba.size()};
  status = WebPDecode(data, bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();  // not the photo's fault
  if (status != VP8_STATUS_OK) throw DataError("{}: not a whole WebP: {}.", subject, reason(status));
  return upright(lay_on_white(rgba, width, height), orientation(bytes));
}

}  // namespace duet
