#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace duet {

namespace {

/// Length of the character that begins at `at`, 0 when there is no valid one. Table 3-7 of the Unicode standard.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

/// Whether a terminal would do something else than show it: C0 and C1 controls, DEL, separators of lines, and what turns the direction in
/// which the following is written (embeddings, overrides, isolates).
bool is_command(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/// Appends the character at `at`, or each of its bytes as \xNN; `at` moves behind it.
void append_printable(std::string_view text, std::size_t& at, std::string& out) {
  const auto length = character_length(text, at);
  auto next = at;
  const bool plain = length > 0 && !is_command(next_utf8(text, next));
  const auto bytes = text.substr(at, std::max<std::size_t>(length, 1));
  at += bytes.size();
  if (plain) {
    out += bytes;
    return;
  }
  for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto length = character_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::uint32_t next_utf8(std::string_view text, std::size_t& at) {
  const auto length = character_length(text, at);
  std::uint32_t code = static_cast<unsigned char>(text[at]);
  if (length > 1) code &= 0xFFU >> (length + 1);
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  at += length == 0 ? 1 : length;
  return code;
}

bool append_utf8(std::uint32_t code, std::string& out) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  if (code < 0x80) {
    out += static_cast<char>(code);
    return true;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const std::uint32_t lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
  out += static_cast<char>(lead | (code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
  return true;
}

std::string printable(std::string_view text, std::size_t bytes) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size() && out.size() < bytes) append_printable(text, at, out);
  return at < text.size() ? out + "…" : out;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\n' || text[at] == '\t') {
      out += text[at++];
    } else {
      append_printable(text, at, out);
    }
  }
  return out;
}

}  // namespace duet
