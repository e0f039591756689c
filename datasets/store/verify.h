#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "datasets/store/records.h"

namespace duet {

struct VerifyReport {
  std::int64_t generation = 0;
  std::int64_t photos = 0;  ///< read, bad ones included
  std::int64_t sketches = 0;
  std::int64_t bytes = 0;  ///< of all shards
  std::vector<std::string>
      bad_shards;  ///< files whose size or checksum is not the manifest's, or that cannot be opened, each with its reason
  std::vector<BadSample> bad_samples;  ///< indices are those of view "all"; the first kMaxListed
  std::int64_t bad_sample_count = 0;

  static constexpr std::size_t kMaxListed = 10'000;
  bool good() const { return bad_shards.empty() && bad_sample_count == 0; }
};

/// Reads every byte of a store's newest generation: the checksum of each shard's file and of each sample. Damage goes into the report, not
/// into an exception; throws only where there is no readable manifest (InputMissing, DataError) or the machine lacks open files or memory
/// (Unavailable). `progress(done, total)` counts bytes of shards and is called now and then.
VerifyReport verify_store(const std::filesystem::path& path, const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace duet
