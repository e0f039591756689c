#include <cstring>
#include <string_view>
#include <utility>

#include "datasets/image/formats.h"

namespace duet {
namespace {

/// Reads numbers out of untrusted bytes; whatever lies outside reads as 0.
struct Bytes {
  std::span<const std::byte> bytes;
  bool little = false;

  unsigned at(std::size_t i) const { return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0; }
  unsigned two(std::size_t i) const { return little ? at(i) | at(i + 1) << 8 : at(i) << 8 | at(i + 1); }
  unsigned four(std::size_t i) const { return little ? two(i) | two(i + 2) << 16 : two(i) << 16 | two(i + 2); }
};

constexpr std::string_view kExif{"Exif\0\0", 6};

bool begins_with_exif(std::span<const std::byte> bytes) {
  return bytes.size() >= kExif.size() && std::memcmp(bytes.data(), kExif.data(), kExif.size()) == 0;
}

}  // namespace

int exif_orientation(std::span<const std::byte> exif) {
  Bytes tiff{begins_with_exif(exif) ? exif.subspan(kExif.size()) : exif};
  tiff.little = tiff.two(0) == 0x4949;
  if (tiff.two(2) != 42) return 1;
  const std::size_t directory = tiff.four(4);
  const unsigned entries = tiff.two(directory);
  for (unsigned i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * std::size_t{i};
    if (entry + 12 > tiff.bytes.size()) return 1;  // the time is bounded by the bytes that are there, whatever they claim
    if (tiff.two(entry) != 0x0112) continue;
    // A short is what the standard asks for, a long what some write; both orders of bytes must give the same.
    const unsigned type = tiff.two(entry + 2);
    const unsigned value = type == 3 ? tiff.two(entry + 8) : type == 4 ? tiff.four(entry + 8) : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

JpegMarkers read_jpeg_markers(std::span<const std::byte> bytes) {
  JpegMarkers markers;
  bool exif_seen = false;  // the first one counts, as in every viewer
  const Bytes file{bytes};
  std::size_t position = 2;
  while (position + 4 <= bytes.size()) {
    const unsigned marker = file.at(position + 1);
    if (file.at(position) != 0xff || marker == 0 || marker == 0xff) {  // a fill byte, or one that belongs to nothing; as libjpeg does
      ++position;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {  // no segment belongs to these
      position += 2;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break;  // pixels, or the end
    const std::size_t length = file.two(position + 2);
    if (length < 2 || position + 2 + length > bytes.size()) break;
    const auto segment = bytes.subspan(position + 4, length - 2);
    if (marker == 0xe1 && !exif_seen && begins_with_exif(segment)) {
      exif_seen = true;
      markers.orientation = exif_orientation(segment);
    }
    if (marker == 0xee && segment.size() >= 12 && Bytes{segment}.four(0) == 0x41646f62) markers.adobe = true;  // "Adob"
    position += 2 + length;
  }
  return markers;
}

Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  Image turned(transposed ? image.height : image.width, transposed ? image.width : image.height, image.channels);
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      const int right = image.width - 1, bottom = image.height - 1;
      int from_x = x, from_y = y;
      if (transposed) std::swap(from_x, from_y);
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) from_x = right - from_x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) from_y = bottom - from_y;
      for (int c = 0; c < image.channels; ++c) turned.at(x, y, c) = image.at(from_x, from_y, c);
    }
  }
  return turned;
}

}  // namespace duet
