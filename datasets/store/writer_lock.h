#pragma once
#include <filesystem>

namespace duet {

/// Held while a store is written: one writer at a time, also over processes. The system releases it when the process ends, however it ends.
class WriterLock {
 public:
  /// `store` must exist. Throws CannotWrite when another writer holds it or the folder cannot be written to.
  explicit WriterLock(const std::filesystem::path& store);
  ~WriterLock();
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

  static constexpr const char* kFileName = "writer.lock";

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

}  // namespace duet
