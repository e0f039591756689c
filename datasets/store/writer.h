#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "datasets/store/manifest.h"
#include "datasets/store/records.h"

namespace duet {

struct StoreOptions {
  PhotoFormat photo_format = PhotoFormat::jpeg;
  int photo_side = 0;                   ///< noted in the manifest: the longest side to which the importer brought the photos
  std::int64_t shard_bytes = 64 << 20;  ///< a shard is written once its samples reach this; also what is buffered per split
};

/// Writes one generation of a store, streaming: memory is one shard's samples per split. Nothing is visible to readers before commit();
/// destruction without it removes everything that was written and leaves the older generations as they were. A process that is killed
/// leaves files no manifest names; the next writer removes them. One writer a store at a time, held by a lock file. One thread.
///
/// Disk full or permission lost: CannotWrite naming the store; nothing is lost that was there.
class StoreWriter {
 public:
  /// A new store, its first generation. Throws CannotCreate when there is one already, or a folder that holds something else.
  static StoreWriter create(const std::filesystem::path& path, StoreKind kind, const StoreOptions& options = {});

  /// The next generation of a store that exists: its samples so far and what is added. Throws InputMissing, DataError, or CannotWrite when
  /// another writer is at work. Format and side of the photos are the store's; `shard_bytes` as above.
  static StoreWriter append(const std::filesystem::path& path, std::int64_t shard_bytes = StoreOptions{}.shard_bytes);

  StoreWriter(StoreWriter&&) noexcept;
  StoreWriter& operator=(StoreWriter&&) noexcept;
  ~StoreWriter();

  /// Returns a handle for the photo's sketches, valid until the next add_photo() of the same split. Throws DataError on a record outside
  /// the limits of records.h.
  std::int64_t add_photo(const PhotoRecord& photo);

  /// The sketch lies in its photo's shard and split. A store of strokes takes sketches without photo, one of pairs none but with.
  /// Throws DataError naming the id when the sketch is none (check_sketch).
  void add_sketch(const SketchRecord& sketch);

  StoreKind kind() const;
  const StoreOptions& options() const;

  /// Writes what is buffered, then the manifest; the generation exists once this returns. Once only.
  /// Throws DataError when nothing was added.
  Manifest commit(const Json& provenance);

 private:
  struct State;
  explicit StoreWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace duet
