#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace duet {

/// Whether `text` is valid UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

/// The code point at byte `at` of valid UTF-8; `at` moves behind it.
std::uint32_t next_utf8(std::string_view text, std::size_t& at);

/// Appends a code point; false (and nothing appended) when it is no character: a surrogate, or beyond U+10FFFF.
bool append_utf8(std::uint32_t code, std::string& out);

/// At most `bytes` bytes of an untrusted name, on one line: what is no printable ASCII or valid UTF-8 appears as \xNN. For reports and
/// messages.
std::string printable(std::string_view text, std::size_t bytes = 120);

}  // namespace duet
