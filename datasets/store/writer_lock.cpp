#include "datasets/store/writer_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/log.h"

namespace duet {

WriterLock::WriterLock(const std::filesystem::path& store) : file_(store / kFileName) {
  for (;;) {
    descriptor_ = open_or_create(file_, O_RDWR);
    if (descriptor_ < 0) throw CannotWrite("{}: cannot be written to: {}.", store.string(), std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      if (reason == ENOLCK || reason == EOPNOTSUPP || reason == ENOSYS || reason == EINVAL) {
        warn("{}: this file system does not lock files ({}): see to it that no other import writes to this store at the same time.",
             store.string(), std::strerror(reason));
        return;
      }
      ::close(descriptor_);
      if (reason == EWOULDBLOCK) throw WriterBusy("{}: another program is writing to this store. Wait until it has ended.", store.string());
      throw CannotWrite("{}: cannot be locked for writing: {}.", store.string(), std::strerror(reason));
    }
    // The former holder removes the file: a lock on a removed file excludes nobody.
    struct stat held {
    }, named{};
    if (::fstat(descriptor_, &held) == 0 && ::stat(file_.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
        held.st_dev == named.st_dev)
      return;
    ::close(descriptor_);
  }
}

WriterLock::~WriterLock() {
  ::unlink(file_.c_str());
  ::close(descriptor_);
}

}  // namespace duet
