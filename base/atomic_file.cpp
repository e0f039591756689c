#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {
constexpr std::size_t kGatheredBytes = 1 << 16;
}

AtomicFile::AtomicFile(std::filesystem::path file) : file_(std::move(file)), temporary_(file_) {
  temporary_ += fmt::format(".partial-{}", ::getpid());
  ::unlink(temporary_.c_str());
  descriptor_ = Descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
  if (!descriptor_.valid()) fail("created");
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view text) {
  if (gathered_.size() + text.size() > kGatheredBytes) {
    send(gathered_);
    gathered_.clear();
  }
  if (text.size() > kGatheredBytes) {
    send(text);
  } else {
    gathered_ += text;
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::commit() {
  send(gathered_);
  if (::fsync(descriptor_.value()) != 0) fail("synced");
  if (::close(descriptor_.release()) != 0) fail("closed");
  if (::rename(temporary_.c_str(), file_.c_str()) != 0) fail("put in place");
  committed_ = true;
  sync_path(file_.has_parent_path() ? file_.parent_path() : ".");
}

void AtomicFile::send(std::string_view text) {
  if (!descriptor_.write(text)) fail("written");
}

void AtomicFile::fail(const char* what) const { throw CannotWrite("{}: cannot be {}: {}.", file_.string(), what, std::strerror(errno)); }

}  // namespace duet
