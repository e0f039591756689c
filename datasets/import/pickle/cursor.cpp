#include "datasets/import/pickle/cursor.h"
#include "base/text.h"

#include <charconv>

namespace duet {

std::string_view PickleCursor::take(std::uint64_t count) {
  if (count > bytes_.size() - position_)
    fail("{} bytes are announced, {} are left; the file is cut short or damaged.", count, bytes_.size() - position_);
  const auto part = bytes_.substr(position_, count);
  position_ += count;
  return part;
}

std::uint64_t PickleCursor::take_unsigned(int width) {
  const auto part = take(width);
  std::uint64_t value = 0;
  for (int i = 0; i < width; ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
  return value;
}

std::string_view PickleCursor::take_line() {
  const auto end = bytes_.find('\n', position_);
  if (end == std::string_view::npos) fail("a line without end; the file is cut short or damaged.");
  const auto line = bytes_.substr(position_, end - position_);
  position_ = end + 1;
  return line;
}

std::int64_t PickleCursor::to_integer(std::string_view digits) const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("{} is no integer.", shown(digits));
  return value;
}

std::int64_t PickleCursor::take_long(std::uint64_t width) {
  if (width > 8) fail("an integer of {} bytes.", width);
  std::uint64_t value = take_unsigned(static_cast<int>(width));
  if (width > 0 && width < 8 && (value >> (8 * width - 1)) & 1) value |= ~std::uint64_t{0} << (8 * width);
  return static_cast<std::int64_t>(value);
}

std::string PickleCursor::unescape_text(std::string_view line) const {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool escape = line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'u' || line[i + 1] == 'U');
    std::uint32_t code = static_cast<unsigned char>(line[i]);
    if (escape) {
      const std::size_t digits = line[i + 1] == 'u' ? 4 : 8;
      const auto part = line.substr(i + 2, digits);
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
      if (part.size() < digits || error != std::errc() || end != part.data() + part.size()) fail("a damaged \\u in text.");
      i += 1 + digits;
    }
    if (!append_utf8(code, out)) fail("text holds U+{:X}, which is no character.", code);
  }
  return out;
}

std::string PickleCursor::unescape_bytes(std::string_view line) const {
  if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) fail("a string without quotes.");
  line = line.substr(1, line.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    if (++i == line.size()) fail("a string ends in a backslash.");
    constexpr std::string_view kLetters = "\\'\"nrtabfv", kMeanings = "\\'\"\n\r\t\a\b\f\v";
    if (const auto at = kLetters.find(line[i]); at != std::string_view::npos) {
      out += kMeanings[at];
    } else if (line[i] == 'x') {
      unsigned code = 0;
      const auto part = line.substr(i + 1, 2);
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
      if (part.size() < 2 || error != std::errc() || end != part.data() + 2) fail("a damaged \\x in a string.");
      out += static_cast<char>(code);
      i += 2;
    } else {
      fail("a string holds the escape {}.", shown(line.substr(i - 1, 2)));
    }
  }
  return out;
}

std::string shown(std::string_view text) { return "'" + printable(text, 80) + "'"; }

}  // namespace duet
