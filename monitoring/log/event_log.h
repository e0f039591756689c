#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <vector>

#include "base/json.h"

namespace duet {

/// A file of JSON objects, one a line, appended and flushed to the system at once: RUN/metrics.jsonl, RUN/log/rank-N.jsonl.
/// Safe from all threads. Logging never stops a training: a line that cannot be written is warned about once and dropped.
class EventLog {
 public:
  /// Creates the file and its folder where needed; throws CannotCreate when that is impossible. A last line that a crash left unfinished is
  /// cut off. `keep`: asked of each line that is there; those it refuses are removed. A resumed run refuses what lies beyond the step it
  /// resumes from, so that no step is logged twice.
  explicit EventLog(std::filesystem::path file, const std::function<bool(const Json&)>& keep = {});

  /// Adds "time" (seconds since 1970) at the end unless it is there. Numbers that are not finite become null, as JSON has none.
  void write(Json event);

  const std::filesystem::path& file() const { return file_; }

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  bool failed_ = false;
};

/// Calls `use` with each object of such a file, in order, without holding the file in memory. Lines that a crash or a full disk damaged are
/// left out; returns how many. A file that is not there is empty.
std::int64_t for_each_event(const std::filesystem::path& file, const std::function<void(const Json&)>& use);

/// The objects in the last `bytes` of such a file, however long it is; a line that begins before that place is left out.
std::vector<Json> read_last_events(const std::filesystem::path& file, std::int64_t bytes);

}  // namespace duet
