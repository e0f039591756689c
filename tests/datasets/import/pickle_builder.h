#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duet::testing {

/// Writes what Python's pickle writes (protocol 3) for {key: numpy array}, piece by piece, so that a test can bend any of it.
class PickleBuilder {
 public:
  std::string multiarray = "numpy.core.multiarray";
  std::string type = "f8";
  std::string byte_order = "<";
  bool column_major = false;

  PickleBuilder() { bytes_ = "\x80\x03}("; }

  /// Rows of x, y, pen as float64.
  PickleBuilder& add(const std::string& key, const std::vector<double>& values, std::int64_t columns = 3) {
    std::string data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
    return add_raw(key, {static_cast<std::int64_t>(values.size()) / columns, columns}, data);
  }

  PickleBuilder& add_raw(const std::string& key, const std::vector<std::int64_t>& shape, const std::string& data) {
    text(key);
    global(multiarray, "_reconstruct");
    global("numpy", "ndarray");
    bytes_ += "K";
    bytes_ += '\0';
    bytes_ +=
        "\x85"
        "C\x01"
        "b\x87R(K\x01(";
    for (const auto length : shape) integer(length);
    bytes_ += "t";
    global("numpy", "dtype");
    text(type);
    bytes_ += "\x89\x88\x87R(K\x03";
    text(byte_order);
    bytes_ += "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK";
    bytes_ += '\0';
    bytes_ += "tb";
    bytes_ += column_major ? "\x88" : "\x89";
    bytes_ += "B" + word(data.size()) + data + "tb";
    return *this;
  }

  PickleBuilder& text(const std::string& value) {
    bytes_ += "X" + word(value.size()) + value;
    return *this;
  }
  PickleBuilder& global(const std::string& module, const std::string& name) {
    bytes_ += "c" + module + "\n" + name + "\n";
    return *this;
  }
  PickleBuilder& integer(std::int64_t value) {
    bytes_ += "\x8a\x08";
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    return *this;
  }
  PickleBuilder& raw(const std::string& instructions) {
    bytes_ += instructions;
    return *this;
  }

  std::string finish() const { return bytes_ + "u."; }

  static std::string word(std::uint64_t value) {
    std::string out;
    for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  }

 private:
  std::string bytes_;
};

}  // namespace duet::testing
