#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace duet {

/// Remembers a text for each of 0, 1, 2, … on disk rather than in memory: what a duplicate resembles is asked rarely. The files have no
/// name and vanish with the object. One thread.
class IdJournal {
 public:
  /// Throws CannotWrite when the system's temporary folder does not take the files.
  IdJournal();

  void append(const std::string& id);
  std::string at(std::int64_t number) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> ends_, text_;  // ends_: where each id ends in text_
  std::int64_t count_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace duet
