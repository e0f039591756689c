#pragma once
#include <filesystem>

#include "base/descriptor.h"

namespace duet {

/// A file that one process at a time has locked, also over hosts where the file system carries locks (flock). The system lets go of it
/// when the process ends, however it ends. state() says what came of it; the owner puts that into words.
class FileLock {
 public:
  FileLock() = default;

  enum class State {
    held,
    busy,        ///< another process has it
    not_opened,  ///< error() says why
    not_locked,  ///< of a file system without locks, most likely; error() says more
  };

  /// Locks `file`, which is made where it is not there; no link is followed. What was replaced or removed between opening and locking is
  /// opened again: a lock on a file that lost its name excludes nobody. Asks again for `patience_seconds` at most, since somebody who only
  /// looks has the lock for a moment.
  explicit FileLock(const std::filesystem::path& file, double patience_seconds = 0);
  /// A folder that is there, asked once; busy when it was replaced meanwhile.
  static FileLock of_folder(const std::filesystem::path& folder);
  /// Looks at a file that may not be there: held, as others who look hold it too, when no process has locked it.
  static FileLock look(const std::filesystem::path& file, double patience_seconds = 0);

  State state() const { return state_; }
  bool is_held() const { return state_ == State::held; }
  /// errno's value.
  int error() const { return error_; }
  /// Does the locked file still have this name?
  bool has_name(const std::filesystem::path& file) const;

 private:
  void lock(int opened, int how, double patience_seconds);

  Descriptor file_;
  State state_ = State::not_opened;
  int error_ = 0;
};

}  // namespace duet
