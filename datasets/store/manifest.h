#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "datasets/store/records.h"
#include "datasets/store/shard.h"

namespace duet {

/// One immutable shard as a manifest names it.
struct ShardEntry {
  std::string file;  ///< inside the store, "shards/…h5"
  std::string split;
  std::int64_t photos = 0;
  std::int64_t sketches = 0;
  std::int64_t bytes = 0;      ///< of the file
  std::uint64_t checksum = 0;  ///< of the file
  ShardStructure structure;
};

/// Sums over all Δx and Δy of the sketches of split 'train', after rounding and simplification with ε = 3 (docs/method.md §3.6 steps 1, 2,
/// 4 and 5). Kept as sums, so that an appended generation continues them.
struct OffsetStatistics {
  std::int64_t count = 0;  ///< of values: two an offset
  double sum = 0;
  double sum_of_squares = 0;

  void add(const Sketch& sketch);
  /// The standard deviation; nothing without offsets or when all are equal.
  std::optional<double> scale() const;
};

struct SplitCounts {
  std::int64_t photos = 0;
  std::int64_t sketches = 0;
};

/// One generation of a store: manifests/NNNNNNNN.json. Shards keep their order from generation to generation and new ones follow, so an
/// index that was valid in a view stays valid in the same view of every later generation.
struct Manifest {
  static constexpr int kVersion = 1;

  std::int64_t generation = 0;
  StoreKind kind = StoreKind::pairs;
  PhotoFormat photo_format = PhotoFormat::jpeg;
  int photo_side = 0;  ///< longest side the importer aimed at; 0: as the sources came
  std::vector<ShardEntry> shards;
  OffsetStatistics offsets;
  Json provenance = Json::array();  ///< one entry a generation: what its writer said of the sources

  SplitCounts total() const;
  std::map<std::string, SplitCounts> splits() const;
  std::int64_t bytes() const;
};

Json to_json(const Manifest& manifest);

/// Checks every name, count and sum of an untrusted manifest. Throws DataError naming `subject`, usually the file.
Manifest manifest_from_json(const Json& json, const std::string& subject);

/// Whether there is a store in the folder, good or damaged.
bool is_store(const std::filesystem::path& folder);

/// The generation to which manifest.json points. Throws InputMissing when `store` is no store, DataError when the file is damaged.
std::int64_t read_newest_generation(const std::filesystem::path& store);

/// Reads the manifest of one generation. Throws InputMissing when the store has no such generation, DataError when it is damaged.
Manifest read_manifest(const std::filesystem::path& store, std::int64_t generation);

/// Writes the generation's file, then moves manifest.json to it; both atomically, so that readers see the old generation or the new one.
void write_manifest(const std::filesystem::path& store, const Manifest& manifest);

/// Split names: 1 to 32 of a–z, 0–9, '-', '_'; "all" is taken. Throws DataError naming `subject`.
void check_split_name(const std::string& name, const std::string& subject);

}  // namespace duet
