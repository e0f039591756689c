#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace duet {

/// A file in the making: written beside its place under a temporary name, and put there by commit() once it is on the disk. After a crash
/// there is the old content or the new, never a part; without commit() the old one stays. For content that is at hand as a whole there is
/// write_file_atomically() (base/file.h).
///
/// All of it throws CannotWrite naming the file and the system's reason (disk full, permission). One thread at a time.
class AtomicFile {
 public:
  /// A file under the temporary name is of a dead process of this number, or somebody's trap, and is removed: no link is followed.
  explicit AtomicFile(std::filesystem::path file);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Small pieces are gathered before they go to the system.
  void write(std::string_view text);
  void write(std::span<const std::byte> bytes);
  /// Syncs, renames, syncs the folder. Last.
  void commit();

 private:
  void send(std::string_view text);
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path file_, temporary_;
  Descriptor descriptor_;
  std::string gathered_;
  bool committed_ = false;
};

}  // namespace duet
