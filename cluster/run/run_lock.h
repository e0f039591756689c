#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file_lock.h"

namespace duet {

/// Who owns a run's folder, or owned it last: RUN/owner.json.
struct RunOwner {
  std::string host;
  std::int64_t process = 0;
  std::string since;           ///< as utc_now() writes it
  std::int64_t token = 0;      ///< grows with each owner
  bool released = true;        ///< given back; false: still owned, or the owner ended without a word
  std::string slurm_job = {};  ///< its job's id; empty: none
  int slurm_restarts = 0;      ///< how often Slurm had started that job again
};
/// Nothing when the folder never had an owner. Throws DataError when the record is damaged.
std::optional<RunOwner> read_run_owner(const std::filesystem::path& run_folder);

/// Makes this process the one owner of a run's folder, until destruction or the process's end.
///
/// RUN/run.lock is locked (flock), RUN/owner.json says who owns it: host, pid, since when, in Slurm the job's id and how often it was
/// restarted, and a token that grows with each owner. A lock whose process is gone is taken over. So is that of a process which still lives
/// when it belongs to an earlier start of this very Slurm job: Slurm starts a job again only when it has given up the former nodes, one of
/// which may be cut off and work on. The former owner is fenced off: it finds still_mine() false before it writes anything more. The same
/// holds where the file system does not carry locks between hosts.
class RunLock {
 public:
  /// Makes the folder. Throws CannotCreate naming folder, host, pid, job and since when, if another process owns it or the folder cannot
  /// be made.
  explicit RunLock(const std::filesystem::path& run_folder, double patience_seconds = 10);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Throws as the constructor does when another process owns the folder, without becoming its owner. For asking before anything is
  /// started; a folder that is not there is free.
  static void require_free(const std::filesystem::path& run_folder);
  /// Does a process hold the lock? False for a folder that is not there, and where the file system does not show locks of other hosts.
  static bool is_held(const std::filesystem::path& run_folder);

  /// Does a later start of this very Slurm job own the folder? What its ranks left there is then not for this process to remove.
  /// Never throws.
  static bool has_successor(const std::filesystem::path& run_folder) noexcept;

  std::int64_t token() const { return token_; }
  /// Asked right before anything becomes visible. False when another owner has taken over, or the folder was replaced. A record that cannot
  /// be read, or is not there, says nothing yet: it is waited for, `patience_seconds` at most, and then the answer is false too.
  bool still_mine() const;

 private:
  std::filesystem::path folder_;
  double patience_seconds_;
  std::int64_t token_ = 0;
  FileLock lock_;
};

}  // namespace duet
