#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "datasets/sketch/sketch.h"

namespace duet {

/// The checksums that shards keep: mix(XXH3 of the sample's bytes, XXH3 of its entry in the index), so that damage to the index is found as
/// well. The entry is the id, a zero byte, then width and height (uint32) and hash (uint64) of a photo, or the photo's index (int64) of a
/// sketch; little-endian.
std::uint64_t photo_checksum(std::span<const std::byte> bytes, const std::string& id, std::uint32_t width, std::uint32_t height,
                             std::uint64_t hash);
std::uint64_t sketch_checksum(std::span<const SketchPoint> points, const std::string& id, std::int64_t photo);

}  // namespace duet
