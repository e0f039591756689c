#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/time.h"

namespace duet {

FileLock::FileLock(const std::filesystem::path& file, double patience_seconds) {
  do {
    lock(open_or_create(file, O_RDWR), LOCK_EX, patience_seconds);
  } while (is_held() && !has_name(file));
}

FileLock FileLock::of_folder(const std::filesystem::path& folder) {
  FileLock lock;
  lock.lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), LOCK_EX, 0);
  if (lock.is_held() && !lock.has_name(folder)) lock.state_ = State::busy;
  return lock;
}

FileLock FileLock::look(const std::filesystem::path& file, double patience_seconds) {
  FileLock lock;
  lock.lock(::open(file.c_str(), O_RDONLY | O_CLOEXEC), LOCK_SH, patience_seconds);
  return lock;
}

bool FileLock::has_name(const std::filesystem::path& file) const {
  struct stat held = {}, present = {};
  return ::fstat(file_.value(), &held) == 0 && ::stat(file.c_str(), &present) == 0 && held.st_ino == present.st_ino &&
         held.st_dev == present.st_dev;
}

void FileLock::lock(int opened, int how, double patience_seconds) {
  error_ = opened < 0 ? errno : 0;
  file_ = Descriptor(opened);
  state_ = State::not_opened;
  if (!file_.valid()) return;
  for (const Stopwatch waited; ::flock(file_.value(), how | LOCK_NB) != 0; ::usleep(20000)) {
    error_ = errno;
    state_ = error_ == EWOULDBLOCK ? State::busy : State::not_locked;
    if (state_ == State::not_locked || waited.seconds() >= patience_seconds) return;
  }
  state_ = State::held;
}

}  // namespace duet
