#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "datasets/image/image.h"

namespace duet {

/// One function a format, behind decode_image(); same contract.
Image decode_jpeg(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject);
Image decode_png(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject);
Image decode_webp(std::span<const std::byte> bytes, const ImageLimits& limits, const std::string& subject);

/// Throws DataError with the sizes and the limit. To be called with what a header claims, before memory is taken for it.
void check_image_size(std::int64_t width, std::int64_t height, const ImageLimits& limits, const std::string& subject);

/// RGBA (not premultiplied) on white.
Image lay_on_white(std::span<const std::uint8_t> rgba, int width, int height);

/// What the marker segments before a JPEG's pixels say. Read with bounds; anything odd counts as absent.
struct JpegMarkers {
  bool adobe = false;   ///< Adobe's APP14: then CMYK samples are stored inverted
  int orientation = 1;  ///< EXIF, 1 … 8; 1 is upright
};
JpegMarkers read_jpeg_markers(std::span<const std::byte> bytes);

/// The orientation tag (0x0112) of EXIF data, with or without "Exif" before it: 1 … 8; 1 where it is absent or odd.
int exif_orientation(std::span<const std::byte> exif);

/// Turns and mirrors the image so that EXIF orientation `orientation` (1 … 8) becomes upright.
Image upright(Image image, int orientation);

}  // namespace duet
