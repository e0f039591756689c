#pragma once
#include <filesystem>

#include "base/error.h"
#include "base/file_lock.h"

namespace duet {

/// Another writer has the lock.
class WriterBusy : public CannotWrite {
 public:
  using CannotWrite::CannotWrite;
};

/// Held while a store is written: one writer at a time, also over processes. The system releases it when the process ends, however it ends.
/// On a file system that does not lock files it warns that nobody is kept out, and goes on.
class WriterLock {
 public:
  /// `store` must exist. Throws WriterBusy when another writer holds it, CannotWrite when the folder cannot be written to.
  explicit WriterLock(const std::filesystem::path& store);
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  static constexpr const char* kFileName = "writer.lock";

 private:
  std::filesystem::path file_;
  FileLock lock_;
};

}  // namespace duet
