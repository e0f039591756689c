#pragma once
#include <cstdint>
#include <filesystem>

namespace duet {

/// Makes this process the one owner of a run's folder, until destruction or the process's end.
///
/// RUN/run.lock is locked (flock), RUN/owner.json says who owns it: host, pid, since when, and a token that grows with each owner. A lock
/// whose process is gone is taken over. Where the file system does not carry locks between hosts, a requeued job takes over as well (it
/// says so), and the token fences off the former owner: it finds still_mine() false before it publishes anything.
class RunLock {
 public:
  /// Makes the folder. Throws CannotCreate naming folder, host, pid and since when, if another process owns it or the folder cannot be
  /// made.
  explicit RunLock(const std::filesystem::path& run_folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Throws as the constructor does when another process owns the folder, without becoming its owner. For asking before anything is
  /// started; a folder that is not there is free.
  static void require_free(const std::filesystem::path& run_folder);

  std::int64_t token() const { return token_; }
  /// Asked right before a checkpoint becomes visible. False when another owner has taken over, or the folder was removed or replaced.
  bool still_mine() const;

 private:
  std::filesystem::path folder_;
  std::int64_t token_ = 0;
  int file_ = -1;
};

}  // namespace duet
