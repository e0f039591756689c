#include "datasets/store/manifest.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/checksum.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/simplify.h"
#include "datasets/store/folder.h"

namespace duet {
namespace {

constexpr double kSimplifyEpsilon = 3;  // docs/method.md §3.6 step 2

// A sum of at most this many shards' counts, each below 2^40, cannot overflow.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
constexpr std::size_t kMaxShards = 1 << 22;

std::filesystem::path pointer_file(const std::filesystem::path& store) { return store / "manifest.json"; }

std::filesystem::path generation_file(const std::filesystem::path& store, std::int64_t generation) {
  return store / "manifests" / fmt::format("{:08}.json", generation);
}

/// The format's name and version, the same in both kinds of file.
void check_format(const Json& json, const std::string& subject) {
  if (member<std::string>(json, "format", subject) != "duet-store") throw DataError("{}: is not the manifest of a store.", subject);
  const auto version = member<std::int64_t>(json, "version", subject);
  if (version != Manifest::kVersion) {
    throw DataError("{}: has format version {}, this program reads {}. Use the program that wrote it, or import anew.", subject, version,
                    Manifest::kVersion);
  }
}

std::int64_t count_member(const Json& json, const std::string& key, const std::string& subject) {
  // nlohmann converts between kinds of numbers without a word.
  if (json.is_object() && json.contains(key) && !json.at(key).is_number_integer())
    throw DataError("{}: '{}' has the wrong type.", subject, key);
  const auto value = member<std::int64_t>(json, key, subject);
  if (value < 0 || value > kMaxCount) throw DataError("{}: '{}' is {}; from 0 to {} make sense.", subject, key, value, kMaxCount);
  return value;
}

std::uint64_t checksum_member(const Json& json, const std::string& key, const std::string& subject) {
  try {
    return from_hex(member<std::string>(json, key, subject));
  } catch (const DataError& error) {
    throw DataError("{}: '{}': {}", subject, key, error.what());
  }
}

ShardEntry shard_from_json(const Json& json, StoreKind kind, const std::string& subject) {
  ShardEntry shard;
  shard.file = member<std::string>(json, "file", subject);
  const std::filesystem::path name(shard.file);
  if (name.parent_path() != "shards" || name.extension() != ".h5" || shard.file.find('\0') != std::string::npos) {
    throw DataError("{}: '{}' is no shard's name.", subject, shard.file);
  }
  const auto where = fmt::format("{}, shard '{}'", subject, shard.file);
  shard.split = member<std::string>(json, "split", where);
  check_split_name(shard.split, where);
  shard.photos = count_member(json, "photos", where);
  shard.sketches = count_member(json, "sketches", where);
  shard.bytes = count_member(json, "bytes", where);
  shard.checksum = checksum_member(json, "checksum", where);
  shard.structure = {count_member(json, "structure_bytes", where), checksum_member(json, "structure_checksum", where)};
  if (shard.structure.bytes > std::min(shard.bytes, kMaxStructureBytes)) {
    throw DataError("{}: 'structure_bytes' is {} of {}.", where, shard.structure.bytes, shard.bytes);
  }
  if ((kind == StoreKind::pool && shard.sketches > 0) || (kind == StoreKind::strokes && shard.photos > 0)) {
    throw DataError("{}: {} photos and {} sketches do not belong in a store of kind '{}'.", where, shard.photos, shard.sketches,
                    to_string(kind));
  }
  return shard;
}

}  // namespace

void OffsetStatistics::add(const Sketch& sketch) {
  for (const auto& offset : to_offsets(simplify(sketch, kSimplifyEpsilon))) {
    for (const double value : {static_cast<double>(offset.dx), static_cast<double>(offset.dy)}) {
      ++count;
      sum += value;
      sum_of_squares += value * value;
    }
  }
}

std::optional<double> OffsetStatistics::scale() const {
  if (count == 0) return {};
  const double mean = sum / static_cast<double>(count);
  const double variance = sum_of_squares / static_cast<double>(count) - mean * mean;
  // Offsets are whole pixels: a variance below rounding error of the sums means that all are equal.
  if (!(variance > 1e-9)) return {};
  return std::sqrt(variance);
}

SplitCounts Manifest::total() const {
  SplitCounts sum;
  for (const auto& shard : shards) {
    sum.photos += shard.photos;
    sum.sketches += shard.sketches;
  }
  return sum;
}

std::map<std::string, SplitCounts> Manifest::splits() const {
  std::map<std::string, SplitCounts> counts;
  for (const auto& shard : shards) {
    counts[shard.split].photos += shard.photos;
    counts[shard.split].sketches += shard.sketches;
  }
  return counts;
}

std::int64_t Manifest::bytes() const {
  std::int64_t sum = 0;
  for (const auto& shard : shards) sum += shard.bytes;
  return sum;
}

Json to_json(const Manifest& manifest) {
  const auto counts = [](const SplitCounts& of) { return Json{{"photos", of.photos}, {"sketches", of.sketches}}; };
  Json splits = Json::object();
  for (const auto& [name, of] : manifest.splits()) splits[name] = counts(of);
  Json shards = Json::array();
  for (const auto& shard : manifest.shards) {
    shards.push_back({{"file", shard.file},
                      {"split", shard.split},
                      {"photos", shard.photos},
                      {"sketches", shard.sketches},
                      {"bytes", shard.bytes},
                      {"checksum", to_hex(shard.checksum)},
                      {"structure_bytes", shard.structure.bytes},
                      {"structure_checksum", to_hex(shard.structure.checksum)}});
  }
  const auto scale = manifest.offsets.scale();
  return {{"format", "duet-store"},
          {"version", Manifest::kVersion},
          {"generation", manifest.generation},
          {"kind", to_string(manifest.kind)},
          {"photo_format", to_string(manifest.photo_format)},
          {"photo_side", manifest.photo_side},
          {"counts", counts(manifest.total())},
          {"splits", splits},
          {"statistics",
           {{"offset_scale", scale ? Json(*scale) : Json(nullptr)},
            {"offset_values", manifest.offsets.count},
            {"offset_sum", manifest.offsets.sum},
            {"offset_sum_of_squares", manifest.offsets.sum_of_squares}}},
          {"shards", shards},
          {"provenance", manifest.provenance}};
}

Manifest manifest_from_json(const Json& json, const std::string& subject) {
  check_format(json, subject);
  Manifest manifest;
  manifest.generation = count_member(json, "generation", subject);
  manifest.kind = store_kind_from(member<std::string>(json, "kind", subject), subject);
  manifest.photo_format = photo_format_from(member<std::string>(json, "photo_format", subject), subject);
  const auto side = count_member(json, "photo_side", subject);
  if (side > kMaxPhotoSide) throw DataError("{}: 'photo_side' is {}; at most {} make sense.", subject, side, kMaxPhotoSide);
  manifest.photo_side = static_cast<int>(side);

  const auto shards = member<Json>(json, "shards", subject);
  if (!shards.is_array() || shards.empty() || shards.size() > kMaxShards) throw DataError("{}: 'shards' is no list of shards.", subject);
  std::set<std::string> names;
  for (const auto& shard : shards) {
    manifest.shards.push_back(shard_from_json(shard, manifest.kind, subject));
    if (!names.insert(manifest.shards.back().file).second)
      throw DataError("{}: names shard '{}' twice.", subject, manifest.shards.back().file);
  }

  const auto counts = member<Json>(json, "counts", subject);
  const auto total = manifest.total();
  if (count_member(counts, "photos", subject) != total.photos || count_member(counts, "sketches", subject) != total.sketches) {
    throw DataError("{}: its counts are not those of its shards ({} photos, {} sketches).", subject, total.photos, total.sketches);
  }

  const auto statistics = member<Json>(json, "statistics", subject);
  manifest.offsets.count = count_member(statistics, "offset_values", subject);
  manifest.offsets.sum = member<double>(statistics, "offset_sum", subject);
  manifest.offsets.sum_of_squares = member<double>(statistics, "offset_sum_of_squares", subject);
  manifest.provenance = member<Json>(json, "provenance", subject);
  if (!manifest.provenance.is_array()) throw DataError("{}: 'provenance' has the wrong type.", subject);
  return manifest;
}

bool is_store(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::exists(pointer_file(folder), ignored);
}

std::int64_t read_newest_generation(const std::filesystem::path& store) {
  const auto file = pointer_file(store);
  if (!is_store(store)) {
    std::error_code ignored;
    if (!std::filesystem::exists(store, ignored))
      throw InputMissing("{}: there is no such store. `duet import` and `duet synth` make stores.", store.string());
    if (std::filesystem::is_regular_file(store, ignored)) {
      const auto kind = looks_like(store);
      throw DataError("{}: is {}. A store is a folder that `duet import` or `duet synth` made.", store.string(),
                      kind.empty() ? "a file" : kind);
    }
    throw InputMissing("{}: is no store: there is no manifest.json in it. {}", store.string(),
                       std::filesystem::exists(store / kPartsFolder, ignored)
                           ? "Parts of an import lie in it: once all are there, `duet store assemble` makes them a store."
                           : "`duet import` and `duet synth` make stores.");
  }
  const auto json = read_json(file, 1 << 16);
  check_format(json, file.string());
  const auto generation = count_member(json, "generation", file.string());
  if (generation < 1 || generation > 99'999'999) throw DataError("{}: 'generation' is {}.", file.string(), generation);
  return generation;
}

Manifest read_manifest(const std::filesystem::path& store, std::int64_t generation) {
  const auto file = generation_file(store, generation);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    throw InputMissing("{}: has no generation {}: {} is missing.", store.string(), generation, file.string());
  }
  auto manifest = manifest_from_json(read_json(file, 256 << 20), file.string());
  if (manifest.generation != generation) throw DataError("{}: says it is generation {}.", file.string(), manifest.generation);
  return manifest;
}

void write_manifest(const std::filesystem::path& store, const Manifest& manifest) {
  write_file_atomically(generation_file(store, manifest.generation), json_text(to_json(manifest), 1) + "\n");
  const Json pointer = {{"format", "duet-store"}, {"version", Manifest::kVersion}, {"generation", manifest.generation}};
  write_file_atomically(pointer_file(store), json_text(pointer, 1) + "\n");
}

void check_split_name(const std::string& name, const std::string& subject) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
  });
  if (!letters || name.empty() || name.size() > 32 || name == "all") {
    throw DataError("{}: a split's name has 1 to 32 of a-z, 0-9, '-', '_' and is not 'all'.", subject);
  }
}

}  // namespace duet
