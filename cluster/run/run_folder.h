#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace duet {

/// Names of the files in a checkpoint's folder.
struct CheckpointFile {
  static constexpr const char* kManifest = "manifest.json";
  static constexpr const char* kProgress = "progress.json";
  static constexpr std::string_view kTensors = ".safetensors";  ///< what the names of all others end in

  /// "generator", "retrieval", "retrieval-average" …
  static std::string of_network(const std::string& network) { return network + std::string(kTensors); }
  /// The retrieval network's: "last", "average" or "best".
  static std::string of_retrieval(const std::string& weights);
  static std::string of_optimiser(const std::string& learner) { return of_network("optimiser-" + learner); }
};

/// RUN/checkpoints: its names, and which checkpoint is the newest. What is in one is the business of trainer/checkpoint/.
class RunCheckpoints {
 public:
  explicit RunCheckpoints(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path of_step(std::int64_t step) const;  ///< step-00000240/
  /// Where one of that step goes while another takes its name: step-00000240.replaced-7/. It is a checkpoint still.
  std::filesystem::path replaced(std::int64_t step, std::int64_t number) const;
  /// Where one is written, by this process: .partial-step-00000240-4711/.
  std::filesystem::path partial(std::int64_t step) const;

  /// Can a folder of this name be a checkpoint?
  static bool is_name(std::string_view name);
  static bool is_replaced(std::string_view name);
  static bool is_partial(std::string_view name);

  /// The text file with the newest one's name. It moves last of all, once that checkpoint was verified.
  std::filesystem::path latest() const { return folder_ / "latest"; }
  /// Has any checkpoint been completed? Then the run can go on.
  bool has_any() const;
  /// The folder that `latest` names, which may be gone; nothing when there is no `latest`. Throws as read_file() does, and DataError when
  /// what it says is no checkpoint's name.
  std::optional<std::filesystem::path> newest() const;

 private:
  std::filesystem::path folder_;
};

/// A run's folder: what is where in it. Only names: it looks at no file but `latest`, and makes none.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// The run that a checkpoint's folder lies in.
  static RunFolder of_checkpoint(const std::filesystem::path& checkpoint) { return RunFolder(checkpoint.parent_path().parent_path()); }

  const std::filesystem::path& path() const { return folder_; }

  // How it was begun.
  std::filesystem::path config() const { return folder_ / "config.cfg"; }             ///< all options, as they were resolved
  std::filesystem::path environment() const { return folder_ / "environment.json"; }  ///< ranks, hosts, data, versions
  std::filesystem::path job() const { return folder_ / "job.json"; }                  ///< what `duet submit` leaves
  std::filesystem::path batch_script() const { return folder_ / "submit.sbatch"; }

  // What comes of it.
  RunCheckpoints checkpoints() const { return RunCheckpoints(folder_ / "checkpoints"); }
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path results() const { return folder_ / "results.json"; }
  std::filesystem::path report() const { return folder_ / "report.html"; }
  std::filesystem::path tensorboard() const { return folder_ / "tensorboard"; }
  std::filesystem::path samples() const { return folder_ / "samples"; }
  /// Drawn of a photo after so many steps of the run: samples/pairs-00000240-photo-3.svg
  std::filesystem::path sample(const std::string& stage, std::int64_t total_step, std::int64_t photo) const;
  /// The last one drawn of that photo in that stage; nothing when none was.
  std::optional<std::filesystem::path> newest_sample(const std::string& stage, std::int64_t photo) const;

  // Logs.
  std::filesystem::path log() const { return folder_ / "log"; }
  std::filesystem::path rank_log(int rank) const;
  std::filesystem::path last_words(int rank) const;
  std::vector<std::filesystem::path> all_last_words() const;
  std::filesystem::path ranks_joined() const { return log() / "ranks-joined"; }
  std::filesystem::path slurm_log(const std::string& job) const { return log() / ("slurm-" + job + ".log"); }
  std::filesystem::path trace(int rank) const;
  std::vector<std::filesystem::path> traces() const;  ///< those of the ranks that are there
  std::filesystem::path merged_trace() const { return folder_ / "trace.json"; }

  // Who works in it, and where that can be watched.
  std::filesystem::path lock() const { return folder_ / "run.lock"; }
  std::filesystem::path owner() const { return folder_ / "owner.json"; }
  std::filesystem::path scrape_targets() const { return folder_ / "prometheus-targets.json"; }

 private:
  std::vector<std::filesystem::path> logs_named(std::string_view beginning, std::string_view end) const;

  std::filesystem::path folder_;
};

}  // namespace duet
