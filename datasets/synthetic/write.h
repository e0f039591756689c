#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>

#include "datasets/synthetic/item.h"

namespace duet {

/// What write_synthetic() makes. No item is in two stores or two splits.
struct SynthOptions {
  std::filesystem::path out;  ///< folder; created, existing stores in it are refused (CannotCreate)
  ItemKind kind = ItemKind::chair;
  std::uint64_t seed = 0;
  std::int64_t pairs = 300;  ///< photos for training and validation together (every third validates); 0: no pairs.store
  std::int64_t test = 100;   ///< photos of the test split of pairs.store
  int sketches_per_photo = 3;
  std::int64_t pool = 1000;  ///< photos without sketches; 0: no pool.store
  std::int64_t strokes = 0;  ///< sketches without photos; 0: no strokes.store
  int side = 256;            ///< of the photos, in pixels
  int jpeg_quality = 90;
  int threads = 0;  ///< that render; 0: one a core. The bytes do not depend on it
};

/// Called after every item, on the calling thread, with the number done and the number to do in all.
using SynthProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Writes out/pairs.store, out/pool.store and out/strokes.store, each as far as asked for, through datasets/store. Memory is constant in
/// their sizes. The same options give the same samples, and more of one sort leaves the others as they were. Ids are "chair-0000000042",
/// "chair-test-…", "chair-pool-…", "chair-strokes-…"; a photo's sketches are "<photo id>_1", "_2", ….
/// Throws UsageError naming an option out of range, CannotCreate, CannotWrite. What `progress` throws passes through;
/// no store is left then.
void write_synthetic(const SynthOptions& options, const SynthProgress& progress = {});

}  // namespace duet
