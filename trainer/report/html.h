#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace duet {

/// Text as it may stand in an element or in an attribute within double quotes. Bytes that are not UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

/// "data:image/png;base64,…" by the first bytes: JPEG, PNG, WebP or SVG; anything else as a binary that no browser shows.
std::string data_uri(std::span<const std::byte> image);

}  // namespace duet
