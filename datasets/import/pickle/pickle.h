#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace duet {

/// Bounds on what a pickle may ask of this program.
/// The defaults are at least twenty times what the largest known coordinate file (ShoeV2) needs.
struct PickleLimits {
  std::uint64_t file_bytes = std::uint64_t{1} << 30;
  std::int64_t objects = 2'000'000;  ///< numbers, strings, tuples, arrays … made while reading
  std::int64_t stack_items = 1'000'000;
  std::int64_t open_marks = 1'000;
  std::int64_t array_values = 30'000'000;    ///< of one array
  std::uint64_t total_values = 500'000'000;  ///< of all arrays as the dictionary names them, one that is named twice counted twice
};

struct PickleContent;

/// A pickled dictionary from string to numeric NumPy array, as the field keeps its sketches: {"/train/<photo>_<n>": float64 [N, 3]}.
///
/// A pickle is a program. This reader runs only the instructions that such a dictionary consists of (protocols 0 to 5, written by NumPy 1
/// or 2, by Python 2 or 3) on objects of its own, never looks a name up, and knows nine callables; any other instruction or name is a
/// DataError that names it. What stands beside the arrays, if it is made of lists, numbers and the like only, is left aside. The file's
/// bytes are held, its arrays are not: each is converted when it is asked for. Safe to read from several threads.
class PickledArrays {
 public:
  /// Throws InputMissing, or DataError naming the file, the byte and what was found there.
  static PickledArrays read(const std::filesystem::path& file, const PickleLimits& limits = {});
  /// The same of bytes in memory; `subject` stands for the file in messages.
  static PickledArrays parse(std::string bytes, const std::string& subject, const PickleLimits& limits = {});

  PickledArrays(PickledArrays&&) noexcept;
  PickledArrays& operator=(PickledArrays&&) noexcept;
  ~PickledArrays();

  std::int64_t size() const;
  /// Keys are valid UTF-8 and differ from one another; the order is the file's. They may hold any character but NUL.
  const std::string& key(std::int64_t index) const;
  const std::vector<std::int64_t>& shape(std::int64_t index) const;
  /// In C order, whatever the order, byte order and type in the file (float16, float32, float64, signed and unsigned integers).
  std::vector<double> values(std::int64_t index) const;
  /// Entries that are no text and numeric array: the key, or what it is instead of text, and what is wrong. At most 1,000.
  const std::vector<std::pair<std::string, std::string>>& others() const;

 private:
  explicit PickledArrays(std::unique_ptr<PickleContent> content);
  std::unique_ptr<PickleContent> content_;
};

}  // namespace duet
