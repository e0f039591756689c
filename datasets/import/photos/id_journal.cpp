#include "datasets/import/photos/id_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace duet {

namespace {

[[noreturn]] void cannot_write() {
  throw CannotWrite("temporary file of the import: {}. TMPDIR names the folder for temporary files.", std::strerror(errno));
}

/// A file without a name in the folder that TMPDIR names; std::tmpfile() does not look at it.
std::FILE* temporary_file() {
  std::error_code error;
  const auto folder = std::filesystem::temp_directory_path(error);
  if (error) {
    throw CannotWrite("{}: not a folder that can be used for temporary files. TMPDIR names another.",
                      std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp");
  }
  int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) {  // a file system without O_TMPFILE
    auto name = (folder / "duet-import-XXXXXX").string();
    descriptor = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor < 0) cannot_write();
    ::unlink(name.c_str());
  }
  std::FILE* file = ::fdopen(descriptor, "w+b");
  if (!file) ::close(descriptor);
  return file;
}

}  // namespace

IdJournal::IdJournal() : ends_(temporary_file()), text_(temporary_file()) {
  if (!ends_ || !text_) cannot_write();
}

void IdJournal::append(const std::string& id) {
  end_ += id.size();
  const bool written = std::fseek(text_.get(), 0, SEEK_END) == 0 && std::fwrite(id.data(), 1, id.size(), text_.get()) == id.size() &&
                       std::fseek(ends_.get(), 0, SEEK_END) == 0 && std::fwrite(&end_, sizeof end_, 1, ends_.get()) == 1;
  if (!written) cannot_write();
  ++count_;
}

std::string IdJournal::at(std::int64_t number) const {
  DUET_CHECK(number >= 0 && number < count_, "id {} of {}", number, count_);
  const auto end_of = [this](std::int64_t which) {
    std::uint64_t end = 0;
    if (which >= 0 && (std::fseek(ends_.get(), which * static_cast<long>(sizeof end), SEEK_SET) != 0 ||
                       std::fread(&end, sizeof end, 1, ends_.get()) != 1))
      cannot_write();
    return end;
  };
  const auto begin = end_of(number - 1), end = end_of(number);
  std::string id(end - begin, '\0');
  if (std::fseek(text_.get(), static_cast<long>(begin), SEEK_SET) != 0 || std::fread(id.data(), 1, id.size(), text_.get()) != id.size())
    cannot_write();
  return id;
}

}  // namespace duet
