#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/store/manifest.h"
#include "datasets/store/records.h"
#include "datasets/store/writer.h"

namespace duet {

class ShardReader;
class ShardCache;
class StoreView;

/// One generation of a store, opened for reading. Shards are opened on demand and at most kOpenShards stay open; no index is held, so
/// memory does not grow with the number of photos. Safe to use from any number of threads; later generations do not disturb it.
class Store : public std::enable_shared_from_this<Store> {
 public:
  static constexpr std::size_t kOpenShards = 128;

  /// The newest generation unless one is named. Throws InputMissing (no store there, no such generation) or DataError (damaged,
  /// newer format).
  /// `open_shards`: how many stay open; one is enough for who reads in order.
  static std::shared_ptr<const Store> open(const std::filesystem::path& path, std::optional<std::int64_t> generation = {},
                                           std::size_t open_shards = kOpenShards);

  /// What a training that polls for new photos asks: one small file is read.
  static std::int64_t newest_generation(const std::filesystem::path& path);

  ~Store();

  const std::filesystem::path& path() const { return path_; }
  const Manifest& manifest() const { return manifest_; }
  StoreKind kind() const { return manifest_.kind; }
  std::int64_t generation() const { return manifest_.generation; }
  std::vector<std::string> splits() const;

  /// The samples of one split, or of "all". Throws UsageError listing the splits there are.
  StoreView view(const std::string& split) const;

  /// A shard by its place in the manifest, from the cache of open ones. Throws as ShardReader does, and DataError when it is not what the
  /// manifest says.
  std::shared_ptr<const ShardReader> shard(std::size_t number) const;

 private:
  Store(std::filesystem::path path, Manifest manifest, std::size_t open_shards);

  std::filesystem::path path_;
  Manifest manifest_;
  std::unique_ptr<ShardCache> cache_;
};

/// The samples of a split, numbered 0 … count − 1 in the manifest's order. Copies are cheap; keeps its Store alive. Thread-safe.
/// Every reading function throws DataError naming store, shard and index on damage (ChecksumError where the bytes are not those written),
/// and InternalError on an index out of range.
class StoreView {
 public:
  StoreView() = default;

  const Store& store() const { return *store_; }
  std::int64_t generation() const { return store_->generation(); }
  const std::string& split() const { return split_; }
  std::int64_t photo_count() const { return photos_; }
  std::int64_t sketch_count() const { return sketches_; }

  /// From the index alone: not verified. read_photo() verifies.
  PhotoInfo photo_info(std::int64_t index) const;

  /// Replaces `out` by the stored bytes (JPEG, or raw RGB where the manifest says so) and returns what is known of the photo (sketch range
  /// left out); verified.
  PhotoInfo read_photo(std::int64_t index, std::vector<std::byte>& out) const;

  /// `photo` is the index of its photo in this view. Verified.
  SketchRecord read_sketch(std::int64_t index) const;

  /// The first sample of that id; reads the index from the beginning.
  std::optional<std::int64_t> find_photo(const std::string& id) const;
  std::optional<std::int64_t> find_sketch(const std::string& id) const;

  /// Calls `visit(id)` for every photo in order, reading in blocks. From the index alone: not verified.
  void for_each_photo_id(const std::function<void(const std::string&)>& visit) const;

  /// Calls `visit(index, perceptual hash)` for every photo in order, reading in blocks. From the index alone: not verified.
  void for_each_hash(const std::function<void(std::int64_t, std::uint64_t)>& visit) const;

 private:
  friend class Store;

  struct Part {
    std::size_t shard;
    std::int64_t first_photo;
    std::int64_t first_sketch;
  };

  StoreView(std::shared_ptr<const Store> store, std::string split);

  const Part& part_of_photo(std::int64_t index) const;
  const Part& part_of_sketch(std::int64_t index) const;

  std::shared_ptr<const Store> store_;
  std::string split_;
  std::vector<Part> parts_;
  std::int64_t photos_ = 0;
  std::int64_t sketches_ = 0;
};

}  // namespace duet
