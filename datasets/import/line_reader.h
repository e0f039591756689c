#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace duet {

/// The lines of an untrusted text file, one at a time; no line takes more memory than the limit. One thread.
class LineReader {
 public:
  enum class Found { line, too_long, end };

  /// Throws as throw_cannot_read() does when the file cannot be opened (base/file.h).
  LineReader(const std::filesystem::path& file, std::size_t limit_bytes);

  /// Puts the next line into `line`, without its end. A line over the limit is passed over (`line` is then empty).
  /// Throws as throw_cannot_read() does when reading fails.
  Found next(std::string& line);

  std::int64_t number() const { return number_; }      ///< of the line that next() returned last, from 1
  std::int64_t position() const { return position_; }  ///< bytes read

 private:
  std::filesystem::path file_;
  std::size_t limit_;
  std::ifstream stream_;
  std::int64_t number_ = 0;
  std::int64_t position_ = 0;
};

}  // namespace duet
