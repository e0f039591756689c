#include "cluster/run/run_lock.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/run/allocation.h"
#include "cluster/run/run_folder.h"

namespace duet {
namespace {

constexpr double kPatienceWithLookers = 0.4;  // seconds

/// Empty fields when there is no record.
RunOwner owner_of(const std::filesystem::path& folder) { return read_run_owner(folder).value_or(RunOwner{}); }

void write_owner(const std::filesystem::path& folder, const RunOwner& owner) {
  Json json = {{"host", owner.host}, {"pid", owner.process}, {"since", owner.since}, {"token", owner.token}, {"released", owner.released}};
  if (!owner.slurm_job.empty()) {
    json["slurm_job"] = owner.slurm_job;
    json["slurm_restarts"] = owner.slurm_restarts;
  }
  write_file_atomically(RunFolder(folder).owner(), json_text(json, 2) + "\n");
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

[[noreturn]] void refuse(const RunOwner& owner, const std::filesystem::path& folder) {
  throw CannotCreate("{}: another job works in this run's folder: {}. Wait for it, stop it, or choose another run.folder.", folder.string(),
                     name_of(owner));
}

/// False when another process has it.
bool is_mine(const FileLock& lock, const std::filesystem::path& file) {
  switch (lock.state()) {
    case FileLock::State::held:
      return true;
    case FileLock::State::busy:
      return false;
    case FileLock::State::not_opened:
      throw CannotCreate("{}: cannot open the run's lock: {}", file.string(), std::strerror(lock.error()));
    case FileLock::State::not_locked:
      break;
  }
  throw CannotCreate("{}: this file system does not lock files: {}", file.string(), std::strerror(lock.error()));
}

}  // namespace

std::optional<RunOwner> read_run_owner(const std::filesystem::path& run_folder) {
  const auto file = RunFolder(run_folder).owner();
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
  make_folder(folder_);
  const auto file = RunFolder(folder_).lock();
  lock_ = FileLock(file, kPatienceWithLookers);
  const bool free = is_mine(lock_, file);
  const auto former = owner_of(folder_);
  if (!free) {
    if (!succeeds(former)) refuse(former, folder_);
    // Its lock cannot be taken away, but the file can be replaced by one that this process holds.
    auto replacement = file;
    replacement += ".next";
    lock_ = FileLock(replacement, kPatienceWithLookers);
    if (!is_mine(lock_, replacement)) refuse(former, folder_);
    std::filesystem::rename(replacement, file);
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
  const auto file = RunFolder(folder).lock();
  const auto lock = FileLock::look(file, kPatienceWithLookers);
  if (lock.state() == FileLock::State::not_opened) return;  // no run yet; what else may be wrong shows when it begins
  const bool free = is_mine(lock, file);
  if (const auto owner = owner_of(folder); !free && !succeeds(owner)) refuse(owner, folder);
}

bool RunLock::is_held(const std::filesystem::path& run_folder) {
  return FileLock::look(RunFolder(run_folder).lock()).state() == FileLock::State::busy;
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
  const RunFolder run(folder_);
  const auto lock = run.lock();
  const Stopwatch since;
  for (bool warned = false;; ::usleep(50000)) {
    struct stat present = {};
    bool readable = ::stat(lock.c_str(), &present) == 0;
    if (readable && !lock_.has_name(lock)) return false;  // replaced
    try {
      if (const auto owner = readable ? read_run_owner(folder_) : std::nullopt) return owner->token == token_;
    } catch (const std::exception&) {
      readable = false;
    }
    if (since.seconds() > patience_seconds_) return false;
    if (since.seconds() > 0.2 && !std::exchange(warned, true))
      warn("{}: cannot be read; waiting at most {} for its file system.", (readable ? run.owner() : lock).string(),
           human_duration(patience_seconds_));
  }
}

}  // namespace duet
