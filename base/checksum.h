#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace duet {

/// XXH3, 64 bit: the checksum of every sample, shard and checkpoint file. Detects damage, not malice.
std::uint64_t checksum(std::span<const std::byte> bytes);

/// The same over a file, streamed. Throws as throw_cannot_read() does (base/file.h).
std::uint64_t checksum_of_file(const std::filesystem::path& file);

/// 16 lower-case hexadecimal digits, and back (throws DataError).
std::string to_hex(std::uint64_t value);
std::uint64_t from_hex(const std::string& text);

template <typename T>
std::span<const std::byte> bytes_of(const T& container) {
  return std::as_bytes(std::span(container));
}

}  // namespace duet
