#include "datasets/import/id_journal.h"

#include <cstring>

#include "base/error.h"

namespace duet {

namespace {

[[noreturn]] void cannot_write() {
  throw CannotWrite("temporary file of the import: {}. TMPDIR names the folder for temporary files.", std::strerror(errno));
}

}  // namespace

IdJournal::IdJournal() : ends_(std::tmpfile()), text_(std::tmpfile()) {
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
