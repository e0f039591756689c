#include "cluster/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"

namespace duet {
namespace {

constexpr const char* kLockName = "run.lock";

/// Who owns the folder, or owned it last. Empty fields when there is no readable record.
struct Owner {
  std::string host;
  std::int64_t process = 0;
  std::string since;
  std::int64_t token = 0;
  bool released = true;
};

Owner read_owner(const std::filesystem::path& folder) {
  const auto file = folder / "owner.json";
  if (!std::filesystem::exists(file)) return {};
  const auto json = read_json(file);
  const auto subject = file.string();
  return {.host = member<std::string>(json, "host", subject),
          .process = member<std::int64_t>(json, "pid", subject),
          .since = member<std::string>(json, "since", subject),
          .token = member<std::int64_t>(json, "token", subject),
          .released = member<bool>(json, "released", subject)};
}

void write_owner(const std::filesystem::path& folder, const Owner& owner) {
  const Json json = {
      {"host", owner.host}, {"pid", owner.process}, {"since", owner.since}, {"token", owner.token}, {"released", owner.released}};
  write_file_atomically(folder / "owner.json", json.dump(2) + "\n");
}

/// Locks the open file, or throws CannotCreate saying who has it.
void lock_or_refuse(int file, int how, const std::filesystem::path& folder) {
  if (::flock(file, how | LOCK_NB) == 0) return;
  const int reason = errno;
  if (reason != EWOULDBLOCK)
    throw CannotCreate("{}: this file system does not lock files: {}", (folder / kLockName).string(), std::strerror(reason));
  const auto owner = read_owner(folder);
  const auto who = owner.host.empty() ? "a process that has only just started"
                                      : fmt::format("process {} on {} since {}", owner.process, owner.host, owner.since);
  throw CannotCreate("{}: another job works in this run's folder: {}. Wait for it, stop it, or choose another run.folder.", folder.string(),
                     who);
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& run_folder) : folder_(std::filesystem::absolute(run_folder)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw CannotCreate("{}: cannot make the run's folder: {}", folder_.string(), error.message());
  const auto lock = folder_ / kLockName;
  file_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) throw CannotCreate("{}: cannot open the run's lock: {}", lock.string(), std::strerror(errno));
  try {
    lock_or_refuse(file_, LOCK_EX, folder_);
    const auto former = read_owner(folder_);
    if (!former.released && former.host != host_name()) {
      warn(
          "{}: process {} on {} had this run's folder since {} and did not give it back; taking over. If it still runs, it will save "
          "nothing more.",
          folder_.string(), former.process, former.host, former.since);
    }
    token_ = former.token + 1;
    write_owner(folder_, {.host = host_name(), .process = ::getpid(), .since = utc_now(), .token = token_, .released = false});
  } catch (...) {
    ::close(file_);
    throw;
  }
}

void RunLock::require_free(const std::filesystem::path& run_folder) {
  const auto folder = std::filesystem::absolute(run_folder);
  const int file = ::open((folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;  // no run yet; what else may be wrong shows when it begins
  try {
    lock_or_refuse(file, LOCK_SH, folder);
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
}

RunLock::~RunLock() {
  try {
    if (still_mine()) {
      auto owner = read_owner(folder_);
      owner.released = true;
      write_owner(folder_, owner);
    }
  } catch (const Error&) {
    // The record stays as after a crash, which the next owner copes with.
  }
  ::close(file_);
}

bool RunLock::still_mine() const {
  struct stat held = {}, present = {};
  if (::fstat(file_, &held) != 0 || ::stat((folder_ / kLockName).c_str(), &present) != 0) return false;
  if (held.st_ino != present.st_ino || held.st_dev != present.st_dev) return false;
  try {
    return read_owner(folder_).token == token_;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace duet
