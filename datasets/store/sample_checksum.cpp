#include "datasets/store/sample_checksum.h"

#include <bit>

#include "base/checksum.h"
#include "base/random.h"

namespace duet {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are summed, and shards read, as little-endian bytes");

template <typename T>
void append(std::string& entry, T value) {
  entry.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

std::uint64_t photo_checksum(std::span<const std::byte> bytes, const std::string& id, std::uint32_t width, std::uint32_t height,
                             std::uint64_t hash) {
  std::string entry = id;
  entry.push_back('\0');
  append(entry, width);
  append(entry, height);
  append(entry, hash);
  return mix(checksum(bytes), checksum(bytes_of(entry)));
}

std::uint64_t sketch_checksum(std::span<const SketchPoint> points, const std::string& id, std::int64_t photo) {
  std::string entry = id;
  entry.push_back('\0');
  append(entry, photo);
  return mix(checksum(std::as_bytes(points)), checksum(bytes_of(entry)));
}

}  // namespace duet
