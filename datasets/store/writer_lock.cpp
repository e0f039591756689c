#include "datasets/store/writer_lock.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace duet {

WriterLock::WriterLock(const std::filesystem::path& store) : file_(store / kFileName), lock_(file_) {
  const int reason = lock_.error();
  switch (lock_.state()) {
    case FileLock::State::held:
      return;
    case FileLock::State::busy:
      throw WriterBusy("{}: another program is writing to this store. Wait until it has ended.", store.string());
    case FileLock::State::not_opened:
      throw CannotWrite("{}: cannot be written to: {}.", store.string(), std::strerror(reason));
    case FileLock::State::not_locked:
      if (reason != ENOLCK && reason != EOPNOTSUPP && reason != ENOSYS && reason != EINVAL)
        throw CannotWrite("{}: cannot be locked for writing: {}.", store.string(), std::strerror(reason));
      warn("{}: this file system does not lock files ({}): see to it that no other import writes to this store at the same time.",
           store.string(), std::strerror(reason));
  }
}

// The file goes while its lock is held: who has opened it meanwhile finds that it lost its name (FileLock).
WriterLock::~WriterLock() { ::unlink(file_.c_str()); }

}  // namespace duet
