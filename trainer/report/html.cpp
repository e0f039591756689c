#include "trainer/report/html.h"

#include <cstdint>

#include "base/base64.h"

namespace duet {
namespace {

// Bytes of the well-formed UTF-8 sequence at the beginning of `text`; 0: there is none.
std::size_t sequence_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool too_long = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool no_character = (lead == 0xED && byte(1) >= 0xA0) || (lead == 0xF4 && byte(1) >= 0x90);
  return too_long || no_character ? 0 : length;
}

bool starts_with(std::span<const std::byte> bytes, std::string_view prefix, std::size_t at = 0) {
  if (bytes.size() < at + prefix.size()) return false;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + at, prefix.size()) == prefix;
}

const char* media_type(std::span<const std::byte> image) {
  if (starts_with(image, "\xff\xd8\xff")) return "image/jpeg";
  if (starts_with(image, "\x89PNG\r\n")) return "image/png";
  if (starts_with(image, "RIFF") && starts_with(image, "WEBP", 8)) return "image/webp";
  if (starts_with(image, "<svg") || starts_with(image, "<?xml")) return "image/svg+xml";
  return "application/octet-stream";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const auto length = sequence_length(text);
    // Broken text, and control characters, which have no place in HTML.
    if (length == 0 || (static_cast<unsigned char>(text[0]) < 0x20 && text[0] != '\n' && text[0] != '\t')) {
      escaped += "\xEF\xBF\xBD";
    } else if (text[0] == '&') {
      escaped += "&amp;";
    } else if (text[0] == '<') {
      escaped += "&lt;";
    } else if (text[0] == '>') {
      escaped += "&gt;";
    } else if (text[0] == '"') {
      escaped += "&quot;";
    } else if (text[0] == '\'') {
      escaped += "&#39;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return escaped;
}

std::string data_uri(std::span<const std::byte> image) { return std::string("data:") + media_type(image) + ";base64," + base64(image); }

}  // namespace duet
