#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace duet {

/// Pixels in memory, 8 bits a channel: rows from the top, channels interleaved ([height, width, channels]), no padding.
/// channels is 3 (RGB) or 1 (grey). A plain value.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  /// All pixels `fill`.
  Image(int image_width, int image_height, int image_channels, std::uint8_t fill = 0)
      : width(image_width),
        height(image_height),
        channels(image_channels),
        pixels(static_cast<std::size_t>(image_width) * image_height * image_channels, fill) {}

  std::uint8_t& at(int x, int y, int channel) { return pixels[(static_cast<std::size_t>(y) * width + x) * channels + channel]; }
  std::uint8_t at(int x, int y, int channel) const { return pixels[(static_cast<std::size_t>(y) * width + x) * channels + channel]; }
  bool operator==(const Image&) const = default;
};

/// What a file may ask for. Checked against its header before any memory is taken for its pixels:
/// a file of 100 bytes can claim 65,000 x 65,000.
struct ImageLimits {
  int max_side = 20'000;
  std::int64_t max_pixels = 100'000'000;
};

/// Decodes JPEG, PNG or WebP, told apart by their first bytes, to RGB.
/// Grey becomes three equal channels, CMYK and 16-bit samples are converted, transparency is laid on white (product photos are cut out that
/// way); EXIF orientation is obeyed; of several pictures (animations) the first is taken. Colour profiles are ignored. Throws DataError
/// that begins with `subject` (the file, or shard and id): not one of these formats, larger than `limits` (with both numbers), or damaged;
/// a file that lacks pixels is damaged, even where a decoder would fill the rest with grey; odd headers, and what stands or lacks after the
/// pixels, are no damage. Safe from any thread.
Image decode_image(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject);

/// Same bytes for the same image on the same library version. quality is 1 … 100; RGB is stored with halved chroma (4:2:0), grey as grey.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

/// Lossless, RGB or grey. The first kPngMark bytes are size, channels and the name of this program.
inline constexpr std::size_t kPngMark = 58;
std::vector<std::byte> encode_png(const Image& image);

/// To exactly width x height. Shrinking averages over all the pixels that fall together (no aliasing), enlarging is bicubic.
Image resize(const Image& image, int width, int height);

/// Keeps the aspect ratio; the longer side becomes `side`, the shorter one at least 1.
/// An image that is already no larger is returned as it is.
Image fit_longest_side(const Image& image, int side);

}  // namespace duet
