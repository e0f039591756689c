#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace duet {

/// RFC 4648, section 4, padded.
std::string base64(std::span<const std::byte> bytes);

/// RFC 4648, section 5, padded: for a piece of an address or a file's name.
std::string base64_for_paths(std::span<const std::byte> bytes);

}  // namespace duet
