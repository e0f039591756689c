#include "cluster/run/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/run/allocation.h"

namespace duet {
namespace {

constexpr const char* kLockName = "run.lock";

/// Empty fields when there is no record.
RunOwner owner_of(const std::filesystem::path& folder) { return read_run_owner(folder).value_or(RunOwner{}); }

void write_owner(const std::filesystem::path& folder, const RunOwner& owner) {
  Json json = {{"host", owner.host}, {"pid", owner.process}, {"since", owner.since}, {"token", owner.token}, {"released", owner.released}};
  if (!owner.slurm_job.empty()) {
    json["slurm_job"] = owner.slurm_job;
    json["slurm_restarts"] = owner.slurm_restarts;
  }
  write_file_atomically(folder / "owner.json", json_text(json, 2) + "\n");
}

std::string name_of(const RunOwner& owner) {
  if (owner.host.empty()) return "a process that has only just started";
  const auto job = owner.slurm_job.empty() ? "" : fmt::format(" (Slurm job {})", owner.slurm_job);
  return fmt::format("process {} on {}{} since {}", owner.process, owner.host, job, owner.since);
}

/// Whether this process belongs to a later start of the Slurm job that owns the folder.
bool succeeds(const RunOwner& owner) {
  const auto own = allocation();
  return own && own->job == owner.slurm_job && own->restarts > owner.slurm_restarts;
}

bool try_lock(int file, int how, const std::filesystem::path& folder) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    if (attempt > 0) ::usleep(20000);  // somebody who only looks (is_held) has it for a moment
    if (::flock(file, how | LOCK_NB) == 0) return true;
    if (const int reason = errno; reason != EWOULDBLOCK)
      throw CannotCreate("{}: this file system does not lock files: {}", (folder / kLockName).string(), std::strerror(reason));
  }
  return false;
}

[[noreturn]] void refuse(const RunOwner& owner, const std::filesystem::path& folder) {
  throw CannotCreate("{}: another job works in this run's folder: {}. Wait for it, stop it, or choose another run.folder.", folder.string(),
                     name_of(owner));
}

int open_lock(const std::filesystem::path& lock) {
  const int file = open_or_create(lock, O_RDWR);
  if (file < 0) throw CannotCreate("{}: cannot open the run's lock: {}", lock.string(), std::strerror(errno));
  return file;
}

/// False when `name` is not, or no longer, the file that is open.
bool is_file(int file, const std::filesystem::path& name) {
  struct stat held = {}, present = {};
  return ::fstat(file, &held) == 0 && ::stat(name.c_str(), &present) == 0 && held.st_ino == present.st_ino && held.st_dev == present.st_dev;
}

}  // namespace

std::optional<RunOwner> read_run_owner(const std::filesystem::path& run_folder) {
  const auto file = run_folder / "owner.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto json = read_json(file);
  const auto subject = file.string();
  return RunOwner{.host = member<std::string>(json, "host", subject),
                  .process = member<std::int64_t>(json, "pid", subject),
                  .since = member<std::string>(json, "since", subject),
                  .token = member<std::int64_t>(json, "token", subject),
                  .released = member<bool>(json, "released", subject),
                  .slurm_job = json.contains("slurm_job") ? member<std::string>(json, "slurm_job", subject) : "",
                  .slurm_restarts = json.contains("slurm_restarts") ? member<int>(json, "slurm_restarts", subject) : 0};
}

RunLock::RunLock(const std::filesystem::path& run_folder, double patience_seconds)
    : folder_(std::filesystem::absolute(run_folder)), patience_seconds_(patience_seconds) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw CannotCreate("{}: cannot make the run's folder: {}", folder_.string(), error.message());
  try {
    acquire();
  } catch (...) {
    if (file_ >= 0) ::close(file_);
    throw;
  }
}

void RunLock::acquire() {
  const auto lock = folder_ / kLockName;
  file_ = open_lock(lock);
  while (try_lock(file_, LOCK_EX, folder_) && !is_file(file_, lock)) {  // it was replaced between opening and locking
    ::close(file_);
    file_ = open_lock(lock);
  }
  const auto former = owner_of(folder_);
  if (!try_lock(file_, LOCK_EX, folder_)) {
    if (!succeeds(former)) refuse(former, folder_);
    // Its lock cannot be taken away, but the file can be replaced by one that this process holds.
    auto replacement = lock;
    replacement += ".next";
    ::close(file_);
    file_ = open_lock(replacement);
    if (!try_lock(file_, LOCK_EX, folder_)) refuse(former, folder_);
    std::filesystem::rename(replacement, lock);
  }
  if (!former.released && (former.host != host_name() || succeeds(former))) {
    warn("{}: {} had this run's folder and did not give it back; taking over. If it still runs, it will save nothing more.",
         folder_.string(), name_of(former));
  }
  token_ = former.token + 1;
  const auto own = allocation();
  write_owner(folder_, {.host = host_name(),
                        .process = ::getpid(),
                        .since = utc_now(),
                        .token = token_,
                        .released = false,
                        .slurm_job = own ? own->job : "",
                        .slurm_restarts = own ? own->restarts : 0});
}

void RunLock::require_free(const std::filesystem::path& run_folder) {
  const auto folder = std::filesystem::absolute(run_folder);
  const int file = ::open((folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;  // no run yet; what else may be wrong shows when it begins
  try {
    const auto locked = try_lock(file, LOCK_SH, folder);
    if (const auto owner = owner_of(folder); !locked && !succeeds(owner)) refuse(owner, folder);
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
}

bool RunLock::is_held(const std::filesystem::path& run_folder) {
  const int file = ::open((run_folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return held;
}

RunLock::~RunLock() {
  try {
    if (still_mine()) {
      auto owner = owner_of(folder_);
      owner.released = true;
      write_owner(folder_, owner);
    }
  } catch (const Error&) {
    // The record stays as after a crash, which the next owner copes with.
  }
  ::close(file_);
}

bool RunLock::has_successor(const std::filesystem::path& run_folder) noexcept {
  try {
    const auto own = allocation();
    const auto owner = owner_of(run_folder);
    return own && own->job == owner.slurm_job && owner.slurm_restarts > own->restarts;
  } catch (const std::exception&) {
    return false;
  }
}

bool RunLock::still_mine() const {
  const auto lock = folder_ / kLockName;
  const Stopwatch since;
  for (bool warned = false;; ::usleep(50000)) {
    struct stat present = {};
    bool readable = ::stat(lock.c_str(), &present) == 0;
    if (readable && !is_file(file_, lock)) return false;  // replaced
    try {
      if (const auto owner = readable ? read_run_owner(folder_) : std::nullopt) return owner->token == token_;
    } catch (const std::exception&) {
      readable = false;
    }
    if (since.seconds() > patience_seconds_) return false;
    if (since.seconds() > 0.2 && !std::exchange(warned, true))
      warn("{}: cannot be read; waiting at most {} for its file system.", (folder_ / (readable ? "owner.json" : kLockName)).string(),
           human_duration(patience_seconds_));
  }
}

}  // namespace duet
