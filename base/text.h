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

/// At most `bytes` bytes of an untrusted word, on one line: an id, a name, a word of a file or of another program, as it may stand in a
/// message, a log or an id. What a terminal would act on (controls, line breaks, overrides of the writing direction) and what is not UTF-8
/// appears as \xNN.
std::string printable(std::string_view text, std::size_t bytes = 120);

/// The same for a whole text that goes to a terminal: all of it, line breaks and tabs as they are.
std::string printable_lines(std::string_view text);

}  // namespace duet
