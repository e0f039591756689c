#include "datasets/store/store.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/file.h"
#include "base/file_kind.h"
#include "datasets/store/shard.h"
#include "datasets/store/shard_cache.h"
#include "monitoring/metrics/metrics.h"

namespace duet {
namespace {

constexpr std::int64_t kScanBlock = 4096;

void count_bytes(std::size_t bytes) {
  static const auto read = metrics().counter("duet_read_bytes_total");
  read.add(static_cast<double>(bytes));
}

}  // namespace

std::shared_ptr<const Store> Store::open(const std::filesystem::path& path, std::optional<std::int64_t> generation,
                                         std::size_t open_shards) {
  const auto wanted = generation ? *generation : read_newest_generation(path);
  return std::shared_ptr<const Store>(new Store(path, read_manifest(path, wanted), open_shards));
}

std::int64_t Store::newest_generation(const std::filesystem::path& path) { return read_newest_generation(path); }

Store::Store(std::filesystem::path path, Manifest manifest, std::size_t open_shards)
    : path_(std::move(path)), manifest_(std::move(manifest)) {
  cache_ = std::make_unique<ShardCache>(open_shards, [this](std::size_t number) {
    const auto& entry = manifest_.shards.at(number);
    const auto file = path_ / entry.file;
    std::error_code error;
    const auto bytes = std::filesystem::file_size(file, error);
    if (error && error != std::errc::no_such_file_or_directory) throw_cannot_read(file, error.value());
    if (error)
      throw InputMissing("{}: is missing ({}). The store's manifest names it; restore it or import anew.", file.string(), error.message());
    // Before HDF5 sees it: the library is not made for damaged files.
    if (bytes != static_cast<std::uint64_t>(entry.bytes)) {
      check_file_kind(file, {FileKind::hdf5, FileKind::empty}, "The store's manifest names it as a shard.");
      throw DataError(
          "{}: has {} bytes instead of {}: it was cut off or changed after it was written. `duet store verify {}` lists all damage.",
          file.string(), bytes, entry.bytes, path_.string());
    }
    auto shard = std::make_shared<const ShardReader>(file, entry.structure);
    if (shard->photo_count() != entry.photos || shard->sketch_count() != entry.sketches ||
        shard->photo_format() != manifest_.photo_format) {
      throw DataError("{}: holds {} photos ({}) and {} sketches, but the manifest of generation {} says {} ({}) and {}. Import anew.",
                      file.string(), shard->photo_count(), to_string(shard->photo_format()), shard->sketch_count(), manifest_.generation,
                      entry.photos, to_string(manifest_.photo_format), entry.sketches);
    }
    return shard;
  });
}

Store::~Store() = default;

std::vector<std::string> Store::splits() const {
  std::vector<std::string> names;
  for (const auto& [name, counts] : manifest_.splits()) names.push_back(name);
  return names;
}

StoreView Store::view(const std::string& split) const {
  const auto names = splits();
  if (split != "all" && std::find(names.begin(), names.end(), split) == names.end()) {
    throw UsageError("{}: has no split '{}'; it has {} (and 'all').", path_.string(), split, fmt::join(names, ", "));
  }
  return StoreView(shared_from_this(), split);
}

std::shared_ptr<const ShardReader> Store::shard(std::size_t number) const { return cache_->get(number); }

StoreView::StoreView(std::shared_ptr<const Store> store, std::string split) : store_(std::move(store)), split_(std::move(split)) {
  const auto& shards = store_->manifest().shards;
  for (std::size_t number = 0; number < shards.size(); ++number) {
    if (split_ != "all" && shards[number].split != split_) continue;
    parts_.push_back({number, photos_, sketches_});
    photos_ += shards[number].photos;
    sketches_ += shards[number].sketches;
  }
}

const StoreView::Part& StoreView::part_of_photo(std::int64_t index) const {
  DUET_CHECK(index >= 0 && index < photos_, "photo {} of {}", index, photos_);
  return *std::prev(
      std::upper_bound(parts_.begin(), parts_.end(), index, [](std::int64_t i, const Part& part) { return i < part.first_photo; }));
}

const StoreView::Part& StoreView::part_of_sketch(std::int64_t index) const {
  DUET_CHECK(index >= 0 && index < sketches_, "sketch {} of {}", index, sketches_);
  return *std::prev(
      std::upper_bound(parts_.begin(), parts_.end(), index, [](std::int64_t i, const Part& part) { return i < part.first_sketch; }));
}

PhotoInfo StoreView::photo_info(std::int64_t index) const {
  const auto& part = part_of_photo(index);
  const auto shard = store_->shard(part.shard);
  auto entry = shard->photo_entry(index - part.first_photo);
  const auto [begin, end] = shard->sketches_of(index - part.first_photo);
  return {std::move(entry.id),
          store_->manifest().shards[part.shard].split,
          entry.width,
          entry.height,
          entry.hash,
          entry.stored_bytes,
          part.first_sketch + begin,
          end - begin};
}

PhotoInfo StoreView::read_photo(std::int64_t index, std::vector<std::byte>& out) const {
  const auto& part = part_of_photo(index);
  auto entry = store_->shard(part.shard)->read_photo(index - part.first_photo, out);
  static const auto photos = metrics().counter("duet_photos_read_total");
  photos.add();
  count_bytes(out.size());
  return {
      std::move(entry.id), store_->manifest().shards[part.shard].split, entry.width, entry.height, entry.hash, entry.stored_bytes, 0, 0};
}

SketchRecord StoreView::read_sketch(std::int64_t index) const {
  const auto& part = part_of_sketch(index);
  auto entry = store_->shard(part.shard)->read_sketch(index - part.first_sketch);
  count_bytes(entry.points.size() * sizeof entry.points[0]);
  return {std::move(entry.id), store_->manifest().shards[part.shard].split, entry.photo < 0 ? -1 : part.first_photo + entry.photo,
          std::move(entry.points)};
}

std::optional<std::int64_t> StoreView::find_photo(const std::string& id) const {
  for (const auto& part : parts_) {
    const auto shard = store_->shard(part.shard);
    for (std::int64_t first = 0; first < shard->photo_count(); first += kScanBlock) {
      const auto ids = shard->photo_ids(first, std::min(kScanBlock, shard->photo_count() - first));
      const auto found = std::find(ids.begin(), ids.end(), id);
      if (found != ids.end()) return part.first_photo + first + (found - ids.begin());
    }
  }
  return {};
}

std::optional<std::int64_t> StoreView::find_sketch(const std::string& id) const {
  for (const auto& part : parts_) {
    const auto shard = store_->shard(part.shard);
    for (std::int64_t first = 0; first < shard->sketch_count(); first += kScanBlock) {
      const auto ids = shard->sketch_ids(first, std::min(kScanBlock, shard->sketch_count() - first));
      const auto found = std::find(ids.begin(), ids.end(), id);
      if (found != ids.end()) return part.first_sketch + first + (found - ids.begin());
    }
  }
  return {};
}

void StoreView::for_each_photo_id(const std::function<void(const std::string&)>& visit) const {
  for (const auto& part : parts_) {
    const auto shard = store_->shard(part.shard);
    for (std::int64_t first = 0; first < shard->photo_count(); first += kScanBlock)
      for (const auto& id : shard->photo_ids(first, std::min(kScanBlock, shard->photo_count() - first))) visit(id);
  }
}

void StoreView::for_each_hash(const std::function<void(std::int64_t, std::uint64_t)>& visit) const {
  for (const auto& part : parts_) {
    const auto shard = store_->shard(part.shard);
    for (std::int64_t first = 0; first < shard->photo_count(); first += kScanBlock) {
      const auto hashes = shard->photo_hashes(first, std::min(kScanBlock, shard->photo_count() - first));
      for (std::size_t i = 0; i < hashes.size(); ++i) visit(part.first_photo + first + static_cast<std::int64_t>(i), hashes[i]);
    }
  }
}

}  // namespace duet
