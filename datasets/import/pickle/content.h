#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace duet {

/// An element type of NumPy: kind 'f', 'i', 'u' (or 'U', text of four bytes a character).
struct ElementType {
  static constexpr char kUnread = '?';  ///< of another kind, or of a size that is not read

  char kind = 0;
  std::int64_t bytes = 0;
  bool big_endian = false;
};

/// A NumPy array whose numbers still lie in the file (or, where the file keeps bytes as text, in PickleContent::decoded).
struct PickledArray {
  static constexpr std::size_t kMaxDimensions = 8;

  std::vector<std::int64_t> shape;
  ElementType type;            ///< kind 0: the array has no content yet
  std::string_view type_name;  ///< where the type is kUnread, as the array then stays
  bool column_major = false;
  std::string_view data;
};

/// A pickle's bytes and the arrays found in them. Not copied and not moved: views point into it.
struct PickleContent {
  std::string file;
  std::deque<std::string> decoded;  ///< what could not be used as it lies in the file; a deque, so that views stay valid
  std::deque<PickledArray> arrays;
  std::vector<std::pair<std::string, std::size_t>> entries;  ///< key, place in arrays
  std::vector<std::pair<std::string, std::string>> others;   ///< key, why it is none of the entries
};

}  // namespace duet
