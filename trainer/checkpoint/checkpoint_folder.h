#pragma once
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/torch.h"
#include "trainer/tensors/safetensors.h"

namespace duet {

/// What one checkpoint holds. files: file name ("retrieval.safetensors") to its tensors; progress: whatever else a resumed run needs.
struct CheckpointContent {
  std::map<std::string, NamedTensors> files;
  Json progress;
  std::optional<double> score;  ///< validation figure of these weights, higher is better; none: not evaluated at this step
};

/// One checkpoint on disk whose sizes and checksums were verified when this object was made.
class Checkpoint {
 public:
  /// Verifies every file against manifest.json. Throws InputMissing, or DataError naming the file that is missing, short or changed.
  static Checkpoint open(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  std::int64_t step() const { return step_; }
  const Json& progress() const { return progress_; }
  const Json& configuration() const { return configuration_; }
  std::optional<double> score() const { return score_; }
  bool has(const std::string& file) const;
  /// The tensors of one file, on the host. Throws DataError when there is none of that name.
  NamedTensors read(const std::string& file) const;

  /// Throws UsageError naming every option that differs, with both values, when this checkpoint belongs to another configuration.
  /// configuration: flat object, option name to value; only options that change what the run computes should be in it.
  void check_configuration(const Json& configuration) const;

 private:
  std::filesystem::path folder_;
  std::int64_t step_ = 0;
  Json progress_, configuration_, files_;
  std::optional<double> score_;
};

struct FoundCheckpoint {
  std::optional<Checkpoint> checkpoint;  ///< none: a fresh run
  std::vector<std::string> passed_over;  ///< why newer ones were not taken, one line each, for the user
};

/// The checkpoint to resume from: the one that `latest` names, else the most recently written that verifies. Damaged ones are passed over,
/// saying so. checkpoints: RUN/checkpoints; may be absent. Throws DataError when there are checkpoints and none verifies.
FoundCheckpoint find_checkpoint(const std::filesystem::path& checkpoints);

/// Where a save stands; tests stop the program at each.
enum class SaveStage { begun, files_written, manifest_written, renamed, latest_moved, thinned };

struct CheckpointOptions {
  int keep_last = 2;            ///< most recently written ones that are kept; at least 1
  std::int64_t keep_every = 0;  ///< multiples of this step are never deleted; 0: none
  Json configuration = Json::object();
  /// Asked before anything becomes visible or is deleted: is this job still the owner of the run's folder? None: always.
  std::function<bool()> may_publish = {};
  std::function<void(SaveStage)> observer = {};  ///< called on the writing thread after each stage; for tests
};

/// RUN/checkpoints: writes checkpoints in a thread of its own and thins out old ones.
///
/// A save goes to a temporary name, is synced, renamed to step-NNNNNNNN, verified by reading it back, and only then does `latest` (a text
/// file with the folder's name) move; a crash at any point leaves the previous checkpoint usable. The newest and the best one are never
/// deleted. One object a run, on rank 0; its methods from one thread.
class CheckpointFolder {
 public:
  /// Makes the folder when absent and removes what a crashed save left under a temporary name. Throws CannotWrite.
  CheckpointFolder(std::filesystem::path checkpoints, CheckpointOptions options);
  /// Waits for the save under way; an error that it ends with is logged.
  ~CheckpointFolder();
  CheckpointFolder(const CheckpointFolder&) = delete;
  CheckpointFolder& operator=(const CheckpointFolder&) = delete;

  /// Waits for the previous save, copies all tensors to host memory and returns; the writing goes on behind.
  /// Throws CannotWrite (disk full, folder lost, not the owner any more) with what the previous save ended with: that checkpoint does not
  /// exist then, older ones do, and this save has not begun; call again to try.
  void save(std::int64_t step, const CheckpointContent& content);

  /// Waits for the save under way and throws what it ended with, like save().
  void finish();

 private:
  void write(std::int64_t step, const CheckpointContent& content);
  void count_good(std::int64_t step, double seconds) const;
  void thin_out(const std::filesystem::path& newest);
  void reached(SaveStage stage);
  void require_ownership(std::int64_t step);

  std::filesystem::path checkpoints_;
  CheckpointOptions options_;
  std::thread writer_;
  std::exception_ptr failure_;
};

}  // namespace duet
