#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tests/system/child.h"

namespace duet {

/// Command lines of the program under test, argument by argument.
using Words = std::vector<std::string>;

/// "duet" and these arguments.
Words duet(const Words& arguments);
Words operator+(Words words, const Words& more);
/// The same under `mpirun -n ranks`.
Words under_mpirun(int ranks, const Words& command);

/// A folder with pairs.store (16 training, 8 validation, 8 test photos), pool.store and strokes.store, made by `duet synth` once a process.
const std::filesystem::path& stores();

/// A configuration small enough that all stages take two seconds, and the folder that its run is to live in.
class TinyRun {
 public:
  TinyRun();
  /// A run whose folder is a copy of another's, as far as that is.
  explicit TinyRun(const TinyRun& other);
  TinyRun& operator=(const TinyRun&) = delete;

  /// `duet train` of this run on the stores, with further options, which win over the configuration's.
  Words train(const Words& options = {}) const;

  std::filesystem::path folder() const { return place_ / "run"; }
  /// For whatever else a test needs.
  std::filesystem::path file(const std::string& name) const { return place_ / name; }

  std::filesystem::path checkpoints() const { return folder() / "checkpoints"; }
  /// What `latest` names; empty when there is none.
  std::filesystem::path latest() const;
  /// The lines of metrics.jsonl that are about a step.
  std::vector<Json> steps() const;
  /// All lines of a rank's log.
  std::vector<Json> log(int rank) const;

 private:
  TemporaryFolder place_;
};

/// Options of a run that only a signal or a fault ends: retrieval steps without end, a checkpoint every 5.
Words endless();

/// Waits until that many steps are in metrics.jsonl. Fails the test when the program ended before.
void wait_for_steps(Child& program, const TinyRun& run, std::int64_t steps);

/// A run of all stages on two ranks, trained once a process; tests that change something copy it.
const TinyRun& finished_run();

/// Puts a copy of one of the stores into `folder`.
std::filesystem::path copy_store(const std::string& name, const std::filesystem::path& folder);
/// The only shard of a split.
std::filesystem::path shard_of(const std::filesystem::path& store, const std::string& split);

/// Changes one bit of a file.
void flip_bit(const std::filesystem::path& file, std::uint64_t offset);
/// Where the stored JPEG photos of a shard begin.
std::vector<std::uint64_t> photos_in(const std::filesystem::path& shard);

}  // namespace duet
