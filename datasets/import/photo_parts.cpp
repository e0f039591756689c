#include "datasets/import/photo_parts.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "datasets/import/photo_part.h"
#include "datasets/import/photo_selection.h"
#include "datasets/import/utf8.h"
#include "datasets/store/folder.h"
#include "datasets/store/identity.h"
#include "datasets/store/writer_lock.h"

namespace duet {

namespace fs = std::filesystem;

namespace {

std::string part_name(int number, int of) { return fmt::format("{}-of-{}", number, of); }

Json settings_of(const PhotosOptions& options, const Store* exclude_like, const Store* existing) {
  std::vector<std::string> folders;
  for (const auto& folder : options.folders) folders.push_back(printable(fs::canonical(folder).string(), 4096));
  return {{"folders", folders},
          {"exclude_like", exclude_like == nullptr ? Json() : Json(options.exclude_like.filename().string())},
          {"exclude_like_content", exclude_like == nullptr ? Json() : Json(identity_of(*exclude_like))},
          {"append_to", existing == nullptr ? Json() : Json(identity_of(*existing))},
          {"side", options.photo.side},
          {"quality", options.photo.quality}};
}

struct FoundPart {
  fs::path folder;
  PhotoPart part;
};

/// "2", "2 and 5", "2, 5 and 7", "1, 2, 3, 4, 5, 6, 7, 8 and 12 more".
std::string listed(const std::vector<int>& numbers) {
  constexpr std::size_t kShown = 8;
  std::string out;
  const auto shown = std::min(numbers.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == numbers.size();
    out += fmt::format("{}{}", i == 0 ? "" : last ? " and " : ", ", numbers[i]);
  }
  if (shown < numbers.size()) out += fmt::format(" and {} more", numbers.size() - shown);
  return out;
}

/// Number and count of "2-of-8"; nothing for any other name.
std::optional<std::pair<int, int>> parse_part_name(const std::string& name) {
  int number = 0, of = 0;
  const auto* end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, number);
  if (first.ec != std::errc() || !std::string_view(first.ptr, end).starts_with("-of-")) return {};
  const auto second = std::from_chars(first.ptr + 4, end, of);
  if (second.ec != std::errc() || second.ptr != end || part_name(number, of) != name) return {};
  if (number < 1 || number > of || of > kMaxParts) return {};
  return std::pair(number, of);
}

/// All parts of the store, in order; all are there, finished and of one import.
std::vector<FoundPart> find_parts(const fs::path& store) {
  const auto parts_folder = store / kPartsFolder;
  std::error_code error;
  std::set<int> counts;
  for (auto entry = fs::directory_iterator(parts_folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto name = parse_part_name(entry->path().filename().string());
    if (!name)
      throw DataError("{}: is no part of an import. Move it elsewhere.",
                      (parts_folder / printable(entry->path().filename().string())).string());
    counts.insert(name->second);
  }
  if (error || counts.empty())
    throw InputMissing("{}: holds no parts to assemble. `duet import photos DIR… --out {} --part 1/8` makes the first of eight.",
                       store.string(), store.string());
  if (counts.size() > 1)
    throw DataError("{}: parts of several imports lie there: {} and {}. Remove the folders of one of them.", parts_folder.string(),
                    part_name(1, *counts.begin()), part_name(1, *counts.rbegin()));
  const int of = *counts.begin();
  std::vector<FoundPart> found;
  std::vector<int> missing;
  for (int number = 1; number <= of; ++number) {
    const auto folder = parts_folder / part_name(number, of);
    if (auto part = read_part(folder)) {
      if (part->number != number || part->of != of)
        throw DataError("{}: says that it is part {}/{}. Import the part again.", folder.string(), part->number, part->of);
      found.push_back({folder, std::move(*part)});
    } else {
      missing.push_back(number);
    }
  }
  if (!missing.empty())
    throw InputMissing("{}: of {} parts, part {} {} missing or unfinished. Import {} with `--part {}/{}`{}, then assemble again.",
                       parts_folder.string(), of, listed(missing), missing.size() == 1 ? "is" : "are", missing.size() == 1 ? "it" : "them",
                       missing.front(), of, missing.size() == 1 ? "" : " and so on");
  for (const auto& [folder, part] : found) {
    const auto& first = found.front().part.settings;
    if (part.settings == first) continue;
    for (const auto& [key, value] : first.items()) {
      if (part.settings.is_object() && part.settings.contains(key) && part.settings[key] == value) continue;
      throw DataError("{}: was imported with another '{}' ({}) than part 1 ({}). Import it again with the options of the others.",
                      folder.string(), key, part.settings.value(key, Json()).dump(), value.dump());
    }
    throw DataError("{}: was imported with other settings than part 1. Import it again.", folder.string());
  }
  return found;
}

/// Equal for the same parts, and for no others: by it a generation is recognised as theirs.
std::string identity_of(const std::vector<FoundPart>& parts) {
  std::string text = parts.front().part.settings.dump();
  for (const auto& [folder, part] : parts) text += fmt::format("\n{} {} {}", part.photos, part.candidates, to_hex(part.checksum));
  return to_hex(checksum(bytes_of(text)));
}

void remove_parts(const fs::path& store) {
  std::error_code error;
  const auto parts = store / kPartsFolder, removed = store / kAssembledPartsFolder;
  fs::remove_all(removed, error);
  if (!error && fs::exists(parts)) fs::rename(parts, removed, error);  // at once: half a set of parts would be taken for an unfinished one
  if (!error) fs::remove_all(removed, error);
  if (error) throw CannotWrite("{}: the parts are assembled, but cannot be removed: {}.", store.string(), error.message());
}

/// Whether the newest generation is that of the parts with this identity.
bool made_of(const Manifest& manifest, const std::string& parts_id) {
  if (!manifest.provenance.is_array() || manifest.provenance.empty()) return false;
  const auto& entry = manifest.provenance.back();
  return entry.is_object() && entry.contains("parts_id") && entry["parts_id"] == parts_id;
}

/// Parts in the order of one walk over all their candidates.
class Merge {
 public:
  explicit Merge(const std::vector<FoundPart>& parts) {
    for (const auto& [folder, part] : parts) {
      readers_.push_back(std::make_unique<PhotoPartReader>(folder, part));
      put(readers_.back().get());
    }
  }

  std::optional<Candidate> next() {
    if (heap_.empty()) return {};
    auto* reader = heap_.top();
    heap_.pop();
    auto candidate = reader->take();
    put(reader);
    return candidate;
  }

 private:
  struct Later {
    bool operator()(const PhotoPartReader* a, const PhotoPartReader* b) const {
      const auto& first = *a->head();
      const auto& second = *b->head();
      if (first.folder != second.folder) return first.folder > second.folder;
      return PhotoTree::comes_before(second.name, first.name);
    }
  };

  void put(PhotoPartReader* reader) {
    if (reader->head() != nullptr) heap_.push(reader);
  }

  std::vector<std::unique_ptr<PhotoPartReader>> readers_;
  std::priority_queue<PhotoPartReader*, std::vector<PhotoPartReader*>, Later> heap_;
};

}  // namespace

ImportReport import_photo_part(const PhotosOptions& options, const WalkShare& share, const ImportHooks& hooks) {
  options.check();
  share.check();
  const auto& store = options.target.store;
  const auto existing = options.target.append ? Store::open(store) : nullptr;
  if (existing != nullptr)
    check_kind(store, existing->kind(), StoreKind::pool);
  else
    check_new_store(store);
  const auto exclude_like = options.exclude_like.empty() ? nullptr : Store::open(options.exclude_like);
  const PhotoWalk early(options.folders);  // says that a folder is missing before anything is made

  const auto folder = store / kPartsFolder / part_name(share.number, share.of);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw CannotCreate("{}: cannot be made: {}.", folder.string(), error.message());
  const WriterLock lock(folder);
  const PhotoPart part{.number = share.number, .of = share.of, .settings = settings_of(options, exclude_like.get(), existing.get())};
  const auto total = PhotoWalk::count(options.folders, share);
  ImportReport report(options.target.list_file);
  report.count("files", 0);
  report.count("photos imported", 0);
  PhotoPartWriter writer(folder, part, {.photo_side = options.photo.side});
  PhotoCandidates candidates({.folders = options.folders,
                              .share = share,
                              .photo = options.photo,
                              .threads = options.threads,
                              .exclude_like = exclude_like,
                              .existing = existing});
  while (const auto candidate = candidates.next()) {
    writer.add(*candidate);
    report_candidate(report, *candidate, options.exclude_like.filename().string());
    report_progress(hooks, {.store = folder}, report.counted("files"), std::max(total, report.counted("files")));
  }
  writer.commit();
  report.remark(
      fmt::format("Part {}/{} is written. Once all {} are, `duet store assemble {}` makes them one generation and leaves out "
                  "photos that look like one of another part.",
                  share.number, share.of, share.of, store.string()));
  report.close();
  return report;
}

ImportReport assemble_photo_parts(const AssembleOptions& options, const ImportHooks& hooks) {
  const auto& store = options.store;
  const auto parts = find_parts(store);
  std::vector<std::unique_ptr<WriterLock>> locks;  // before anything is decided: who holds them may be about to remove the parts
  for (const auto& part : parts) locks.push_back(std::make_unique<WriterLock>(part.folder));
  const auto id = identity_of(parts);
  const auto existing = is_store(store) ? Store::open(store) : nullptr;
  if (existing != nullptr && made_of(existing->manifest(), id)) {
    locks.clear();
    remove_parts(store);
    ImportReport report(options.list_file);
    report.remark(fmt::format("These parts were assembled before, as generation {}; they are removed now.", existing->generation()));
    report.close();
    return report;
  }
  const auto& settings = parts.front().part.settings;
  const auto subject = (store / kPartsFolder).string();
  const auto base = existing == nullptr ? Json() : Json(identity_of(*existing));
  if (settings.value("append_to", Json()) != base)
    throw DataError("{}: the parts were imported to be added to {}, but {}. Import them again{}.", subject,
                    settings.value("append_to", Json()).is_null() ? "no store" : "another generation",
                    existing == nullptr ? "there is no store" : fmt::format("the store has generation {}", existing->generation()),
                    existing == nullptr ? " without --append" : " with --append");

  std::int64_t total = 0;
  for (const auto& [folder, part] : parts) total += part.candidates;
  const ImportTarget target{.store = store, .append = existing != nullptr, .list_file = options.list_file};
  const auto named = settings.value("exclude_like", Json());
  const auto exclude_like = named.is_string() ? named.get<std::string>() : "";
  PhotoSelection selection(target, exclude_like,
                           open_target(target, StoreKind::pool, {.photo_side = member<int>(settings, "side", subject)}));
  if (existing != nullptr && Store::newest_generation(store) != existing->generation())
    throw DataError("{}: another import has added a generation meanwhile. Import the parts again with --append.", store.string());
  Merge merge(parts);
  std::int64_t done = 0;
  while (const auto candidate = merge.next()) {
    selection.take(*candidate);
    report_progress(hooks, target, ++done, total);
  }
  if (selection.empty()) {  // the commit will say so; the parts hold nothing to try again with
    locks.clear();
    remove_parts(store);
  }
  Json folders = Json::array();
  for (const auto& folder : member<std::vector<std::string>>(settings, "folders", subject))
    folders.push_back(fs::path(folder).filename().string());
  auto report = selection.commit({{"source", "photos"},
                                  {"folders", folders},
                                  {"exclude_like", exclude_like},
                                  {"quality", member<int>(settings, "quality", subject)},
                                  {"parts", parts.size()},
                                  {"parts_id", id}},
                                 subject);
  locks.clear();
  remove_parts(store);
  return report;
}

}  // namespace duet
