#include "datasets/import/photos.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/import/id_journal.h"
#include "datasets/import/ordered_workers.h"
#include "datasets/import/photo_tree.h"
#include "datasets/import/similarity_index.h"
#include "datasets/import/utf8.h"
#include "datasets/store/store.h"

namespace duet {

namespace {

constexpr const char* kUnreadable = "no readable photo";
constexpr const char* kDuplicate = "looks like a photo taken before";
constexpr const char* kPresent = "looks like a photo of the store";
constexpr const char* kPassedOver = "passed over";

/// All files of all folders, in order.
class Sources {
 public:
  Sources(const std::vector<std::filesystem::path>& folders, PhotoTree::Refused refused) : refused_(std::move(refused)) {
    std::set<std::string> taken;
    for (const auto& folder : folders) {
      // Opened here to say early that one is missing; canonical, so that "." has a name.
      PhotoTree(folder, [](const std::string&, const std::string&) {});
      const auto root = std::filesystem::canonical(folder);
      const auto own = root.filename().string();
      auto prefix = own;
      for (int i = 2; !taken.insert(prefix).second; ++i) prefix = fmt::format("{}-{}", own, i);
      roots_.push_back({root, folders.size() > 1 ? prefix + "/" : ""});
    }
  }

  std::optional<PhotoTree::File> next() {
    for (; root_ < roots_.size(); ++root_, tree_.reset()) {
      const auto& [path, prefix] = roots_[root_];
      if (!tree_) tree_.emplace(path, [&](const std::string& name, const std::string& reason) { refused_(prefix + name, reason); });
      if (auto file = tree_->next()) {
        file->name = prefix + file->name;
        return file;
      }
    }
    return {};
  }

 private:
  PhotoTree::Refused refused_;
  std::vector<std::pair<std::filesystem::path, std::string>> roots_;
  std::size_t root_ = 0;
  std::optional<PhotoTree> tree_;
};

std::int64_t count_files(const std::vector<std::filesystem::path>& folders) {
  Sources sources(folders, [](const std::string&, const std::string&) {});
  std::int64_t count = 0;
  while (sources.next()) ++count;
  return count;
}

SimilarityIndex hashes_of(const StoreView& view) {
  SimilarityIndex index(kLookAlikeDistance);
  view.for_each_hash([&](std::int64_t, std::uint64_t hash) { index.add(hash); });
  return index;
}

/// The photos of a store that came from elsewhere, by their looks.
struct Reference {
  StoreView view;
  SimilarityIndex index;

  explicit Reference(const std::filesystem::path& store) : view(Store::open(store)->view("all")), index(hashes_of(view)) {}
};

class Import {
 public:
  Import(const PhotosOptions& options, const ImportHooks& hooks)
      : options_(options),
        hooks_(hooks),
        report_(options.target.list_file),
        total_(count_files(options.folders)),
        writer_(open_target(options.target, StoreKind::pool, {.photo_side = options.photo.side})) {
    if (options.target.append) {
      existing_ = Store::open(options.target.store)->view("all");
      index_ = hashes_of(existing_);
    }
    if (!options.exclude_like.empty()) excluded_.emplace(options.exclude_like);
  }

  ImportReport run() {
    Sources sources(options_.folders,
                    [this](const std::string& name, const std::string& reason) { report_.leave_out(kPassedOver, name, reason); });
    OrderedWorkers<PhotoTree::File, std::pair<std::string, PreparedPhoto>> workers(
        import_threads(options_.threads),
        [this](const PhotoTree::File& file) { return std::pair(file.name, prepare_photo(file.path, options_.photo)); });
    report_.count("files", 0);
    report_.count("photos imported", 0);
    bool more = true;
    while (true) {
      while (more && !workers.full()) {
        if (auto file = sources.next())
          workers.put(std::move(*file));
        else
          more = false;
      }
      if (workers.empty()) break;
      const auto [name, photo] = workers.take();
      take(name, photo);
      report_.count("files");
      report_progress(hooks_, options_.target, report_.counted("files"), std::max(total_, report_.counted("files")));
    }
    if (report_.counted("photos imported") == 0)
      throw DataError("{}: no new photo to import.\n{}", options_.folders.front().string(), report_.text());
    commit();
    return std::move(report_);
  }

 private:
  void take(const std::string& name, const PreparedPhoto& photo) {
    if (!photo.fault.empty()) return report_.leave_out(kUnreadable, name, photo.fault);
    if (excluded_) {
      if (const auto match = excluded_->index.nearest(photo.hash)) {
        const auto like = excluded_->view.photo_info(*match);
        return report_.leave_out(excluded_reason(), name, fmt::format("{} ({})", like.id, like.split));
      }
    }
    if (const auto match = index_.nearest(photo.hash)) {
      const auto old = existing_.photo_count();
      return report_.leave_out(*match < old ? kPresent : kDuplicate, name,
                               *match < old ? existing_.photo_info(*match).id : journal_.at(*match - old));
    }
    const auto id = printable(name, static_cast<std::size_t>(kMaxIdBytes) - 8);
    writer_.add_photo({.id = id, .bytes = photo.jpeg, .width = photo.width, .height = photo.height, .hash = photo.hash});
    index_.add(photo.hash);
    journal_.append(id);
    report_.count("photos imported");
  }

  std::string excluded_reason() const { return fmt::format("looks like a photo of {}", options_.exclude_like.filename().string()); }

  void commit() {
    std::vector<std::string> folders;
    for (const auto& folder : options_.folders) folders.push_back(std::filesystem::canonical(folder).filename().string());
    const auto manifest = writer_.commit({{"source", "photos"},
                                          {"folders", folders},
                                          {"exclude_like", options_.exclude_like.filename().string()},
                                          {"quality", options_.photo.quality},
                                          {"report", report_.json()}});
    report_.remark(fmt::format("The store holds {} photos, generation {}.", manifest.total().photos, manifest.generation));
    report_.close();
  }

  const PhotosOptions& options_;
  const ImportHooks& hooks_;
  ImportReport report_;
  std::int64_t total_;
  StoreWriter writer_;
  StoreView existing_;                         // of the store to append to; empty otherwise
  SimilarityIndex index_{kLookAlikeDistance};  // photos of existing_, then those taken
  IdJournal journal_;                          // ids of those taken
  std::optional<Reference> excluded_;
};

}  // namespace

ImportReport import_photos(const PhotosOptions& options, const ImportHooks& hooks) {
  options.photo.check();
  if (options.folders.empty()) throw UsageError("no folder of photos is named.");
  return Import(options, hooks).run();
}

}  // namespace duet
