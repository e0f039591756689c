#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "cluster/ranks/coordinator.h"
#include "monitoring/metrics/metrics.h"
#include "trainer/phases/phase.h"
#include "trainer/schedule/schedule.h"

namespace duet {

/// Keeps the metrics that a training knows (monitoring/metrics/catalogue.h) at what the run is doing. Main thread.
class RunMetrics {
 public:
  /// `planned_steps`: of the whole run; `restarts`: earlier starts of it.
  RunMetrics(int ranks, std::int64_t planned_steps, std::int64_t restarts);

  /// After each step. `samples`: of all ranks. Durations: of this rank.
  void step(const PhaseSteps& planned, std::int64_t total_steps, const StepFigures& figures, const StepSamples& samples, double seconds,
            double wait_seconds);
  /// After each. `newest_generation`: of the pool; negative: not known.
  void directive(std::int64_t newest_generation);
  void stopped(const std::string& reason);  ///< empty: because it is complete
  void failed();
  void pool(std::int64_t generation, std::int64_t photos, std::int64_t excluded);

 private:
  int ranks_;
  std::int64_t directives_ = 0;
  MetricLabels active_ = {};
};

/// Sets the gauges of an evaluation on the validation split, {"last": {"acc@1": …}, "average": …, "best": …}; and of one of what the
/// generator draws, {"acc@1": …}.
void set_evaluation_metrics(Stage stage, const Json& figures);
void set_generator_metrics(Stage stage, const Json& figures);

}  // namespace duet
