#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/atomic_file.h"
#include "base/descriptor.h"
#include "base/error.h"

namespace duet {

int open_or_create(const std::filesystem::path& file, int flags) {
  const int present = ::open(file.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
  return present >= 0 || errno != ENOENT ? present : ::open(file.c_str(), flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kFileMode);
}

void throw_cannot_read(const std::filesystem::path& file, int error) {
  const auto reason = std::strerror(error);
  switch (error) {
    case EMFILE:
    case ENFILE:
      throw Unavailable(
          "{}: cannot be opened: {}. The file itself may be whole: raise the limit of open files (`ulimit -n`; it is {} here).",
          file.string(), reason, ::sysconf(_SC_OPEN_MAX));
    case ENOMEM:
      throw Unavailable("{}: cannot be read: {}. The file itself may be whole: give the job more memory.", file.string(), reason);
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EISDIR:
      throw InputMissing("{}: cannot be read: {}.", file.string(), reason);
    default:
      throw CannotWrite("{}: cannot be read: {}. Nothing is known of its content: see to its permissions and to the disk or file server.",
                        file.string(), reason);
  }
}

void write_file_atomically(const std::filesystem::path& file, std::string_view content) {
  AtomicFile out(file);
  out.write(content);
  out.commit();
}

void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> content) {
  write_file_atomically(file, std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
}

std::string read_file(const std::filesystem::path& file, std::uint64_t limit_bytes) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!descriptor.valid() || ::fstat(descriptor.value(), &status) != 0) throw_cannot_read(file, errno);
  if (!S_ISREG(status.st_mode)) throw InputMissing("{}: is not a file.", file.string());
  if (static_cast<std::uint64_t>(status.st_size) > limit_bytes) {
    throw DataError("{}: has {} bytes; at most {} are read here. Is it the right file?", file.string(), status.st_size, limit_bytes);
  }
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const auto got = ::read(descriptor.value(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_cannot_read(file, errno);
    if (got == 0) throw DataError("{}: ended after {} of {} bytes.", file.string(), filled, content.size());
    filled += static_cast<std::size_t>(got);
  }
  return content;
}

void append_line(const std::filesystem::path& file, std::string_view line) {
  const Descriptor descriptor(open_or_create(file, O_WRONLY | O_APPEND));
  if (!descriptor.valid()) throw CannotWrite("{}: cannot be opened for appending: {}.", file.string(), std::strerror(errno));
  if (!descriptor.write(std::string(line) + '\n')) throw CannotWrite("{}: cannot be written: {}.", file.string(), std::strerror(errno));
}

void refuse_link(const std::filesystem::path& file) {
  std::error_code absent;
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(file, absent))) return;
  throw CannotCreate("{}: is a link to {}; nothing is written through it. Put a file or folder of its own there.", file.string(),
                     std::filesystem::read_symlink(file, absent).string());
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void sync_path(const std::filesystem::path& path) {
  const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.valid() || ::fsync(descriptor.value()) != 0) {
    throw CannotWrite("{}: cannot be synced: {}.", path.string(), std::strerror(errno));
  }
}

std::filesystem::path path_inside(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path relative(name);
  bool leaves = name.empty() || relative.is_absolute() || name.find('\0') != std::string::npos;
  for (const auto& part : relative) leaves = leaves || part == "..";
  if (leaves) throw DataError("{}: the name '{}' leads out of the folder.", folder.string(), name);
  return folder / relative;
}

TemporaryFolder::TemporaryFolder() {
  auto pattern = (std::filesystem::temp_directory_path() / "duet-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw CannotCreate("{}: cannot be made: {}.", pattern, std::strerror(errno));
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace duet
