#include "datasets/import/photos/part.h"

#include <array>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace duet {

namespace fs = std::filesystem;

namespace {

constexpr int kVersion = 1;
constexpr const char* kRecord = "part.json";
constexpr const char* kCandidates = "candidates.jsonl";
constexpr const char* kPhotos = "photos";
constexpr std::size_t kMaxLine = 64 << 10;  // names and details have a few thousand bytes at most, each up to six in JSON

constexpr std::array kKinds = {std::pair(Candidate::Kind::photo, "photo"), std::pair(Candidate::Kind::passed_over, "passed over"),
                               std::pair(Candidate::Kind::unreadable, "unreadable"), std::pair(Candidate::Kind::excluded, "excluded"),
                               std::pair(Candidate::Kind::present, "present")};

const char* name_of(Candidate::Kind kind) {
  for (const auto& [candidate, name] : kKinds)
    if (candidate == kind) return name;
  throw InternalError("a kind of candidate without name");
}

Candidate::Kind kind_from(const std::string& name, const std::string& subject) {
  for (const auto& [kind, known] : kKinds)
    if (name == known) return kind;
  throw DataError("{}: '{}' is no kind of candidate.", subject, printable(name));
}

// File names are bytes, JSON's strings are characters: each byte becomes the character of its number, so that every name comes back as it
// was, and ASCII stays readable.
std::string characters_of(const std::string& bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(static_cast<unsigned char>(byte), out);
  return out;
}

std::string bytes_of_characters(const std::string& text, const std::string& subject) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto code = next_utf8(text, at);  // the parser took only valid UTF-8
    if (code > 0xFF) throw DataError("{}: a name holds a character that stands for no byte.", subject);
    out.push_back(static_cast<char>(code));
  }
  return out;
}

template <typename T>
T number_in(const Json& json, const std::string& key, std::int64_t most, const std::string& subject) {
  const auto value = member<std::int64_t>(json, key, subject);
  if (value < 0 || value > most) throw DataError("{}: '{}' is {}; from 0 to {} make sense.", subject, key, value, most);
  return static_cast<T>(value);
}

}  // namespace

std::optional<PhotoPart> read_part(const fs::path& folder) {
  const auto file = folder / kRecord;
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  const auto subject = file.string();
  const auto json = read_json(file);
  if (member<std::int64_t>(json, "version", subject) != kVersion)
    throw DataError("{}: was written by another version of the program. Remove its folder and import the part again.", subject);
  constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
  PhotoPart part{.number = number_in<int>(json, "part", kMaxParts, subject),
                 .of = number_in<int>(json, "of", kMaxParts, subject),
                 .settings = member<Json>(json, "settings", subject),
                 .photos = number_in<std::int64_t>(json, "photos", kMaxCount, subject),
                 .candidates = number_in<std::int64_t>(json, "candidates", kMaxCount, subject),
                 .checksum = from_hex(member<std::string>(json, "checksum", subject))};
  if (!part.settings.is_object()) throw DataError("{}: 'settings' has the wrong type.", subject);
  return part;
}

PhotoPartWriter::PhotoPartWriter(fs::path folder, PhotoPart part, const StoreOptions& options)
    : folder_(std::move(folder)), part_(std::move(part)), options_(options) {
  std::error_code error;
  fs::remove(folder_ / kRecord, error);  // first: without it the rest counts for nothing
  if (!error) fs::remove_all(folder_ / kPhotos, error);
  if (error) throw CannotWrite("{}: what is left of the part cannot be removed: {}.", folder_.string(), error.message());
  refuse_link(folder_ / kCandidates);
  lines_.open(folder_ / kCandidates, std::ios::binary | std::ios::trunc);
  if (!lines_) throw CannotWrite("{}: cannot be written.", (folder_ / kCandidates).string());
}

void PhotoPartWriter::add(const Candidate& candidate) {
  Json line = {{"kind", name_of(candidate.kind)}, {"folder", candidate.folder}, {"name", characters_of(candidate.name)}};
  if (!candidate.detail.empty()) line["detail"] = characters_of(candidate.detail);
  if (candidate.kind == Candidate::Kind::present) {
    line["hash"] = to_hex(candidate.hash);
    line["distance"] = candidate.distance;
  }
  lines_ << json_text(line) << '\n';
  if (!lines_) throw CannotWrite("{}: cannot be written; is the disk full?", (folder_ / kCandidates).string());
  ++part_.candidates;
  if (candidate.kind != Candidate::Kind::photo) return;
  if (!writer_) writer_.emplace(StoreWriter::create(folder_ / kPhotos, StoreKind::pool, options_));
  writer_->add_photo(
      {.id = photo_id(candidate), .bytes = candidate.jpeg, .width = candidate.width, .height = candidate.height, .hash = candidate.hash});
  ++part_.photos;
}

void PhotoPartWriter::commit() {
  lines_.close();
  if (!lines_) throw CannotWrite("{}: cannot be written; is the disk full?", (folder_ / kCandidates).string());
  sync_path(folder_ / kCandidates);
  if (writer_) writer_->commit({{"source", "photos"}, {"part", fmt::format("{}/{}", part_.number, part_.of)}});
  const Json record = {{"version", kVersion},
                       {"part", part_.number},
                       {"of", part_.of},
                       {"settings", part_.settings},
                       {"photos", part_.photos},
                       {"candidates", part_.candidates},
                       {"checksum", to_hex(checksum_of_file(folder_ / kCandidates))}};
  write_file_atomically(folder_ / kRecord, json_text(record, 2) + "\n");
}

PhotoPartReader::PhotoPartReader(fs::path folder, PhotoPart part)
    : file_(folder / kCandidates), part_(std::move(part)), lines_(file_, kMaxLine) {
  if (checksum_of_file(file_) != part_.checksum)
    throw DataError("{}: is not as it was written. Import part {}/{} again.", file_.string(), part_.number, part_.of);
  if (part_.photos > 0) photos_ = Store::open(folder / kPhotos, {}, 1)->view("all");
  if (photos_.photo_count() != part_.photos)
    throw DataError("{}: holds {} photos, {} were written. Import part {}/{} again.", (folder / kPhotos).string(), photos_.photo_count(),
                    part_.photos, part_.number, part_.of);
  advance();
}

Candidate PhotoPartReader::parse(const std::string& line) const {
  const auto subject = fmt::format("{}, line {}", file_.string(), lines_.number());
  const auto json = parse_json(line, subject);
  Candidate candidate{.kind = kind_from(member<std::string>(json, "kind", subject), subject),
                      .folder = number_in<std::uint32_t>(json, "folder", UINT32_MAX, subject),
                      .name = bytes_of_characters(member<std::string>(json, "name", subject), subject),
                      .detail = {}};
  if (json.contains("detail")) candidate.detail = bytes_of_characters(member<std::string>(json, "detail", subject), subject);
  if (candidate.kind == Candidate::Kind::present) {
    candidate.hash = from_hex(member<std::string>(json, "hash", subject));
    candidate.distance = number_in<std::uint8_t>(json, "distance", 64, subject);
  }
  return candidate;
}

void PhotoPartReader::advance() {
  head_.reset();
  std::string line;
  switch (lines_.next(line)) {
    case LineReader::Found::line:
      head_ = parse(line);
      ++candidates_read_;
      return;
    case LineReader::Found::too_long:
      throw DataError("{}, line {}: is longer than any that was written.", file_.string(), lines_.number());
    case LineReader::Found::end:
      if (candidates_read_ != part_.candidates || photos_read_ != part_.photos)
        throw DataError("{}: lists {} candidates and {} photos, {} and {} were written.", file_.string(), candidates_read_, photos_read_,
                        part_.candidates, part_.photos);
  }
}

Candidate PhotoPartReader::take() {
  auto candidate = std::move(*head_);
  if (candidate.kind == Candidate::Kind::photo) {
    if (photos_read_ == part_.photos) throw DataError("{}: lists more photos than were written.", file_.string());
    const auto info = photos_.read_photo(photos_read_++, candidate.jpeg);
    candidate.width = info.width;
    candidate.height = info.height;
    candidate.hash = info.hash;
  }
  advance();
  return candidate;
}

}  // namespace duet
