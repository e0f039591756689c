#include "datasets/import/photos/assembly.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "base/time.h"
#include "datasets/import/photos/part.h"
#include "datasets/import/photos/selection.h"
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
          {"exclude_like", exclude_like == nullptr ? Json() : Json(printable(options.exclude_like.filename().string(), 4096))},
          {"exclude_like_content", exclude_like == nullptr ? Json() : Json(identity_of(*exclude_like))},
          {"append_to", existing == nullptr ? Json() : Json(identity_of(*existing))},
          {"follow_links", options.links == PhotoTree::Links::followed},
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

/// The folders of parts by the number of parts that their import had, and by their own.
std::map<int, std::map<int, fs::path>> folders_of_parts(const fs::path& parts_folder) {
  std::map<int, std::map<int, fs::path>> found;
  std::error_code error;
  for (auto entry = fs::directory_iterator(parts_folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (name == WriterLock::kFileName) continue;
    const auto numbers = parse_part_name(name);
    if (!numbers) throw DataError("{}: is no part of an import. Move it elsewhere.", (parts_folder / printable(name)).string());
    found[numbers->second][numbers->first] = entry->path();
  }
  if (error && error != std::errc::no_such_file_or_directory) throw_cannot_read(parts_folder, error.value());
  return found;
}

/// The finished ones, in order. Throws DataError when one is not what its folder's name says.
std::vector<FoundPart> finished(const std::map<int, fs::path>& folders, int of) {
  std::vector<FoundPart> parts;
  for (const auto& [number, folder] : folders) {
    auto part = read_part(folder);
    if (!part) continue;
    if (part->number != number || part->of != of)
      throw DataError("{}: says that it is part {}/{}. Import the part again.", folder.string(), part->number, part->of);
    parts.push_back({folder, std::move(*part)});
  }
  return parts;
}

void require_one_import(const std::vector<FoundPart>& parts) {
  const auto& first = parts.front().part.settings;
  for (const auto& [folder, part] : parts) {
    for (const auto& [key, value] : first.items()) {
      const auto own = part.settings.value(key, Json());
      if (own != value)
        throw DataError("{}: was imported with another '{}' ({}) than part 1 ({}). Import it again with the options of the others.",
                        folder.string(), key, json_text(own), json_text(value));
    }
  }
}

/// All parts of the import of which all are there and finished, in order.
std::vector<FoundPart> complete_parts(const fs::path& store, const std::map<int, std::map<int, fs::path>>& folders) {
  std::vector<FoundPart> complete;
  std::string lacking;
  for (const auto& [of, by_number] : folders) {
    auto parts = finished(by_number, of);
    if (static_cast<int>(parts.size()) == of) {
      if (!complete.empty())
        throw DataError("{}: parts of several imports lie there, such as {} and {}. Remove the folders of one of them.",
                        complete.front().folder.parent_path().string(), complete.front().folder.filename().string(),
                        parts.front().folder.filename().string());
      complete = std::move(parts);
      continue;
    }
    std::vector<int> missing;
    for (int number = 1; number <= of; ++number) {
      if (std::ranges::none_of(parts, [&](const FoundPart& found) { return found.part.number == number; })) missing.push_back(number);
    }
    lacking += fmt::format("{}of {} parts, part {} {} missing or unfinished. Import {} with `--part {}/{}`{}, then assemble again.",
                           lacking.empty() ? "" : " ", of, listed(missing), missing.size() == 1 ? "is" : "are",
                           missing.size() == 1 ? "it" : "them", missing.front(), of, missing.size() == 1 ? "" : " and so on");
  }
  if (complete.empty() && lacking.empty())
    throw PartsIncomplete("{}: holds no parts to assemble. `duet import photos DIR… --out {} --part 1/8` makes the first of eight.",
                          store.string(), store.string());
  if (complete.empty()) throw PartsIncomplete("{}: {}", (store / kPartsFolder).string(), lacking);
  require_one_import(complete);
  return complete;
}

/// Removes what an assembly leaves at its very end. Another may be at the same: what that one took away first is no error.
std::error_code clear_assembled(const fs::path& store) {
  std::error_code error;
  do fs::remove_all(store / kAssembledPartsFolder, error);
  while (error == std::errc::no_such_file_or_directory);
  return error;
}

constexpr double kPatienceSeconds = 3;  // for others who hold a lock just for a moment

/// The lock of a part, taken while no assembly is under way, which would remove it with the others.
std::unique_ptr<WriterLock> lock_part(const fs::path& folder) {
  const auto parts_folder = folder.parent_path();
  for (const Stopwatch waited;; ::usleep(50000)) {
    make_folder(parts_folder);
    std::unique_ptr<WriterLock> no_assembly;
    try {
      no_assembly = std::make_unique<WriterLock>(parts_folder);
    } catch (const WriterBusy&) {
      if (waited.seconds() > kPatienceSeconds) throw;
      continue;
    } catch (const CannotWrite&) {
      if (fs::exists(parts_folder)) throw;
      continue;  // an assembly has just removed it
    }
    make_folder(folder);
    return std::make_unique<WriterLock>(folder);
  }
}

/// Keeps others from the parts: who imports one of them, of whatever import, or assembles them.
class LockedParts {
 public:
  explicit LockedParts(const fs::path& store) {
    const auto parts_folder = store / kPartsFolder;
    for (const Stopwatch waited; fs::is_directory(parts_folder); ::usleep(50000)) {
      try {
        lock(parts_folder);
        return;
      } catch (const WriterBusy& busy) {
        parts_.clear();
        assembly_.reset();
        if (waited.seconds() > kPatienceSeconds) throw PartsIncomplete("{}", busy.what());
      }
    }
  }

  const std::map<int, std::map<int, fs::path>>& folders() const { return folders_; }

  /// Removes all parts; for once.
  void remove(const fs::path& store) {
    parts_.clear();
    auto error = clear_assembled(store);
    // At once: half a set of parts would be taken for an unfinished one.
    if (!error) fs::rename(store / kPartsFolder, store / kAssembledPartsFolder, error);
    assembly_.reset();
    if (!error) error = clear_assembled(store);
    if (error) throw CannotWrite("{}: the parts are assembled, but cannot be removed: {}.", store.string(), error.message());
  }

 private:
  void lock(const fs::path& parts_folder) {
    assembly_ = std::make_unique<WriterLock>(parts_folder);
    folders_ = folders_of_parts(parts_folder);
    raise_limit_of_open_files(folders_);
    for (const auto& [of, by_number] : folders_)
      for (const auto& [number, folder] : by_number) parts_.push_back(std::make_unique<WriterLock>(folder));
  }

  // Of each part a lock, its list and one shard.
  static void raise_limit_of_open_files(const std::map<int, std::map<int, fs::path>>& folders) {
    rlim_t needed = 64;
    for (const auto& [of, by_number] : folders) needed += 4 * by_number.size();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
    limit.rlim_cur = std::min(needed, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed)
      throw Unavailable("assembling so many parts takes {} open files, {} are allowed. Raise the limit (ulimit -n {}).", needed,
                        limit.rlim_max, needed);
  }

  std::unique_ptr<WriterLock> assembly_;
  std::map<int, std::map<int, fs::path>> folders_;
  std::vector<std::unique_ptr<WriterLock>> parts_;
};

/// A look without locks, which would keep others from their parts. What it cannot read may be on the move; then the look under locks tells.
void require_complete(const fs::path& store) {
  try {
    complete_parts(store, folders_of_parts(store / kPartsFolder));
  } catch (const PartsIncomplete&) {
    throw;
  } catch (const Error&) {
  }
}

/// Equal for the same parts, and for no others: by it a generation is recognised as theirs.
std::string identity_of(const std::vector<FoundPart>& parts) {
  std::string text = json_text(parts.front().part.settings);
  for (const auto& [folder, part] : parts) text += fmt::format("\n{} {} {}", part.photos, part.candidates, to_hex(part.checksum));
  return to_hex(checksum(bytes_of(text)));
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
  if (existing != nullptr) {
    check_kind(store, existing->kind(), StoreKind::pool);
  } else {
    check_no_store(store);
    check_new_store(store);
  }
  const auto exclude_like = open_exclude_like(options.exclude_like);
  const PhotoWalk early(options.folders);  // says that a folder is missing before anything is made

  const auto folder = store / kPartsFolder / part_name(share.number, share.of);
  const auto lock = lock_part(folder);
  const PhotoPart part{.number = share.number, .of = share.of, .settings = settings_of(options, exclude_like.get(), existing.get())};
  const auto total = PhotoWalk::count(options.folders, options.links, share);
  ImportReport report(options.target.list_file);
  report.count("files", 0);
  report.count("photos imported", 0);
  PhotoPartWriter writer(folder, part, {.photo_side = options.photo.side});
  PhotoCandidates candidates({.folders = options.folders,
                              .links = options.links,
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
  clear_assembled(store);  // left by an assembly that was killed at its very end
  require_complete(store);
  LockedParts locked(store);
  const auto parts = complete_parts(store, locked.folders());
  const auto id = identity_of(parts);
  const auto existing = is_store(store) ? Store::open(store) : nullptr;
  if (existing != nullptr && made_of(existing->manifest(), id)) {
    locked.remove(store);
    ImportReport report(options.list_file);
    report.remark(fmt::format("These parts were assembled before, as generation {}; they are removed now.", existing->generation()));
    report.close();
    return report;
  }
  const auto& settings = parts.front().part.settings;
  const auto subject = (store / kPartsFolder).string();
  const auto base = existing == nullptr ? Json() : Json(identity_of(*existing));
  if (settings.value("append_to", Json()) != base)
    throw DataError("{}: the parts were imported to {}, but {}. Import them again{}.", subject,
                    settings.value("append_to", Json()).is_null()
                        ? "make a new store"
                        : fmt::format("be added to {}", json_text(settings.value("append_to", Json()))),
                    existing == nullptr ? "there is no store" : fmt::format("the store has {}", identity_of(*existing)),
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
  {
    Merge merge(parts);  // has files of the parts open: some file systems do not let go of a folder as long as that is so
    std::int64_t done = 0;
    while (const auto candidate = merge.next()) {
      selection.take(*candidate);
      report_progress(hooks, target, ++done, total);
    }
  }
  Json folders = Json::array();
  for (const auto& folder : member<std::vector<std::string>>(settings, "folders", subject))
    folders.push_back(fs::path(folder).filename().string());
  Json provenance{{"source", "photos"},           {"folders", folders},
                  {"exclude_like", exclude_like}, {"quality", member<int>(settings, "quality", subject)},
                  {"parts", parts.size()},        {"parts_id", id}};
  if (selection.empty()) locked.remove(store);  // commit() says so; the parts hold nothing to try again with
  auto report = selection.commit(std::move(provenance), subject);
  if (!selection.empty()) locked.remove(store);
  return report;
}

}  // namespace duet
