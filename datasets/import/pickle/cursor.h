#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace duet {

/// Reads a pickle's bytes from the first to the last; never beyond. Every fault is a DataError that names the subject and the instruction's
/// byte. `bytes` must outlive it.
class PickleCursor {
 public:
  PickleCursor(std::string_view bytes, std::string subject) : bytes_(bytes), subject_(std::move(subject)) {}

  /// The code of the next instruction; faults are reported as its own from now on.
  unsigned char take_instruction() {
    instruction_ = position_;
    return static_cast<unsigned char>(take(1)[0]);
  }

  std::string_view take(std::uint64_t count);
  /// Little-endian, of `width` bytes, at most 8.
  std::uint64_t take_unsigned(int width);
  /// Little-endian two's complement, of at most 8 bytes.
  std::int64_t take_long(std::uint64_t width);
  /// Up to a line break, which is consumed.
  std::string_view take_line();

  /// Decimal digits.
  std::int64_t to_integer(std::string_view digits) const;
  /// Python's raw-unicode-escape (Latin-1 with \uXXXX and \UXXXXXXXX), to UTF-8.
  std::string unescape_text(std::string_view line) const;
  /// A Python 2 string as repr() prints it, quotes included.
  std::string unescape_bytes(std::string_view line) const;

  std::size_t size() const { return bytes_.size(); }
  std::size_t left() const { return bytes_.size() - position_; }

  template <typename... Parts>
  [[noreturn]] void fail(fmt::format_string<Parts...> form, Parts&&... parts) const {
    throw DataError("{}: byte {}: {} Nothing in the file was executed.", subject_, instruction_,
                    fmt::format(form, std::forward<Parts>(parts)...));
  }

 private:
  std::string_view bytes_;
  std::string subject_;
  std::size_t position_ = 0;
  std::size_t instruction_ = 0;
};

/// What a file holds, for a message.
std::string shown(std::string_view text);

}  // namespace duet
