#include <webp/decode.h>

#include <cstring>
#include <functional>
#include <new>
#include <string_view>

#include "base/error.h"
#include "datasets/image/formats.h"

namespace duet {
namespace {

using Bytes = std::span<const std::byte>;

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

const std::uint8_t* raw(Bytes bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

/// `count` bytes from `at` on, little endian.
std::size_t number(Bytes bytes, std::size_t at, int count) {
  std::size_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | std::to_integer<std::size_t>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

/// One of the pieces that a WebP consists of: four letters, the size (little endian), that many bytes, padded to an even number.
struct Chunk {
  std::string_view name;
  Bytes content;   ///< as much of it as is there
  Bytes and_rest;  ///< from the four letters to the end of the file
};

/// The first chunk that `is_meant`, of those from byte `at` on; one without a name where there is none.
Chunk find_chunk(Bytes bytes, std::size_t at, const std::function<bool(std::string_view)>& is_meant) {
  while (at <= bytes.size() && bytes.size() - at >= 8) {
    const std::string_view name(reinterpret_cast<const char*>(bytes.data() + at), 4);
    const auto size = number(bytes, at + 4, 4);
    const auto content = bytes.subspan(at + 8);
    if (is_meant(name)) return {name, content.first(std::min(size, content.size())), bytes.subspan(at)};
    at += 8 + size + size % 2;
  }
  return {};
}

/// What the EXIF chunk says; 1 where there is none.
int orientation(Bytes bytes) {
  const auto exif = find_chunk(bytes, 12, [](std::string_view name) { return name == "EXIF"; });
  return exif_orientation(exif.content);
}

/// A picture's bitstream, and where on the canvas it lies.
struct Frame {
  Bytes data;
  std::size_t x = 0, y = 0;
};

/// The first picture of an animation; no data where there is none.
Frame first_frame(Bytes bytes) {
  constexpr std::size_t kHeader = 16;
  const auto frame = find_chunk(bytes, 12, [](std::string_view name) { return name == "ANMF"; }).content;
  if (frame.size() < kHeader) return {};
  return {frame.subspan(kHeader), 2 * number(frame, 0, 3), 2 * number(frame, 3, 3)};
}

/// The bitstream alone of a file of one picture, which libwebp reads whatever the file's header says of its size.
Frame bare_frame(Bytes bytes) {
  return {find_chunk(bytes, 12, [](std::string_view name) { return name == "ALPH" || name == "VP8 " || name == "VP8L"; }).and_rest};
}

/// Decodes into the frame's place on an RGBA canvas.
VP8StatusCode decode(const Frame& frame, int width, int height, std::span<std::uint8_t> canvas) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw InternalError("libwebp is of another version than this program was built for.");
  const auto status = WebPGetFeatures(raw(frame.data), frame.data.size(), &config.input);
  if (status != VP8_STATUS_OK) return status;
  const auto own_width = static_cast<std::size_t>(config.input.width), own_height = static_cast<std::size_t>(config.input.height);
  if (frame.x + own_width > static_cast<std::size_t>(width) || frame.y + own_height > static_cast<std::size_t>(height))
    return VP8_STATUS_BITSTREAM_ERROR;
  const auto stride = static_cast<std::size_t>(width) * 4;
  const auto place = canvas.subspan(frame.y * stride + frame.x * 4);
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {place.data(), static_cast<int>(stride), place.size()};
  const auto decoded = WebPDecode(raw(frame.data), frame.data.size(), &config);
  WebPFreeDecBuffer(&config.output);
  return decoded;
}

}  // namespace

Image decode_webp(Bytes bytes, const ImageLimits& limits, const std::string& subject) {
  WebPBitstreamFeatures features;
  auto status = WebPGetFeatures(raw(bytes), bytes.size(), &features);
  if (status != VP8_STATUS_OK) throw DataError("{}: not a whole WebP: {}.", subject, reason(status));
  check_image_size(features.width, features.height, limits, subject);

  std::vector<std::uint8_t> canvas(static_cast<std::size_t>(features.width) * features.height * 4);
  const auto decode_from = [&](const Frame& frame) { return decode(frame, features.width, features.height, canvas); };
  status = decode_from(features.has_animation ? first_frame(bytes) : Frame{bytes});
  // A file may end within what follows its pixels.
  if (status == VP8_STATUS_NOT_ENOUGH_DATA && !features.has_animation) status = decode_from(bare_frame(bytes));
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();  // not the photo's fault
  if (status != VP8_STATUS_OK) throw DataError("{}: not a whole WebP: {}.", subject, reason(status));
  return upright(lay_on_white(canvas, features.width, features.height), orientation(bytes));
}

}  // namespace duet
