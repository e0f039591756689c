#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

/// What files are created with: all that the umask grants, so that a folder shared by a group stays usable by all of it.
inline constexpr unsigned kFileMode = 0666;

/// open() of a file for writing, which is made where it is not there; −1 and errno, for a symbolic link too. Not O_CREAT at once: Linux
/// refuses that for a file of somebody else in a folder with the sticky bit (fs.protected_regular), where opening it may be allowed.
int open_or_create(const std::filesystem::path& file, int flags);

/// Throws what a failed open() or read() for reading means, from errno's value: InputMissing where there is no such file, Unavailable at a
/// limit of the machine (open files, memory), CannotWrite (the status of I/O errors) where it cannot be read now: permission, a failing
/// disk or server. Never DataError: of the content nothing is known.
[[noreturn]] void throw_cannot_read(const std::filesystem::path& file, int error);

/// Writes beside `file` under a temporary name, syncs, renames, syncs the folder: after a crash there is the old content or the new, never
/// a part. Throws CannotWrite naming the file and the system's reason (disk full, permission).
void write_file_atomically(const std::filesystem::path& file, std::string_view content);
void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> content);

/// The whole file. Throws as throw_cannot_read() does, InputMissing for a folder, and DataError when it is larger than `limit_bytes`.
std::string read_file(const std::filesystem::path& file, std::uint64_t limit_bytes = 64 << 20);

/// Appends one line and flushes it to the system (not to the disk). For logs: several processes may append to one file. Throws CannotWrite,
/// for a symbolic link too.
void append_line(const std::filesystem::path& file, std::string_view line);

/// Throws CannotCreate when `file` is a symbolic link: what is appended to, or begun anew,
/// under a name of this program must not fall elsewhere.
void refuse_link(const std::filesystem::path& file);

/// "runs/first" of "runs/first/", as completion in a shell writes it: so that filename() is the folder's name.
std::string without_trailing_slash(std::string path);

/// Flushes a file, or a folder's entries, to the disk. Throws CannotWrite.
void sync_path(const std::filesystem::path& path);

/// A name inside `folder`, taken from an untrusted file. Throws DataError when it would leave the folder (absolute, '..',
/// a separator's tricks).
std::filesystem::path path_inside(const std::filesystem::path& folder, const std::string& name);

/// A folder of its own under the system's temporary folder, removed with everything in it on destruction.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace duet
