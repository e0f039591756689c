#pragma once
#include <string_view>
#include <utility>

namespace duet {

/// Owns an open file of the system and closes it. −1, of an open() that failed, is owned by nobody: valid() tells, and errno says why.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }

  bool valid() const { return value_ >= 0; }
  int value() const { return value_; }
  /// Writes all of it; false when the system refuses, and errno says why.
  bool write(std::string_view text) const;
  /// Gives it away, for a close() whose answer matters.
  int release() { return std::exchange(value_, -1); }

 private:
  int value_ = -1;
};

}  // namespace duet
