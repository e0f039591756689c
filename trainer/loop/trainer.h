#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "cluster/ranks/coordinator.h"
#include "cluster/ranks/ranks.h"
#include "monitoring/trace/trace_mirror.h"
#include "trainer/config.h"
#include "trainer/networks/networks.h"

namespace duet {

struct TrainerOptions {
  int local_rank = 0;
  std::function<std::int64_t()> gpu_memory_bytes = {};  ///< in use on this rank's GPU; none: no GPU
  Json configuration = Json::object();  ///< the options that must not change when a run is continued, name to text; kept in checkpoints
  TraceMirror* trace_mirror = nullptr;  ///< gets the spans that are traced, too
  std::function<bool()> may_publish;    ///< is this job still the owner of the run's folder? Asked on rank 0
  std::function<void(std::int64_t total_step)> after_step;  ///< for tests: interrupts at chosen steps
};

struct TrainingOutcome {
  bool complete = false;    ///< false: stopped before the end, state saved
  std::string stop_reason;  ///< why, when not complete
};

/// A training run from wherever its folder stands to its end, or to the first request to stop (docs/architecture.md §3). One object a rank;
/// all ranks make it and call run() together.
class Trainer {
 public:
  /// Opens the stores, builds the networks and restores the newest checkpoint that verifies. Throws UsageError, DataError, InputMissing
  /// with what is wrong with the configuration, a store, weights or the checkpoints.
  Trainer(const TrainingConfig& config, const Ranks& ranks, const Device& device, TrainerOptions options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Collective. Throws NumericalError, RankLost, CannotWrite, DataError (too many bad samples), the same on all ranks where that is
  /// possible; the newest checkpoint stays usable.
  TrainingOutcome run();

  /// Collective. RUN/report.html, of the run as it stands; false, after a warning, when it cannot be made.
  bool write_report();

  const class RunState& state() const;  ///< for tests

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet
