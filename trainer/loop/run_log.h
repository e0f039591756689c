#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/json.h"
#include "monitoring/log/event_log.h"
#include "monitoring/log/progress.h"
#include "monitoring/log/tensorboard.h"
#include "monitoring/metrics/http_server.h"
#include "trainer/config.h"
#include "trainer/loop/run_metrics.h"
#include "trainer/phases/phase.h"
#include "trainer/schedule/schedule.h"

namespace duet {

/// What people and machines see of a running training: the progress line and metrics.jsonl (rank 0), RUN/log/rank-N.jsonl, and each rank's
/// /metrics, /healthz, /readyz and /status. Main thread; the endpoint's threads read a snapshot.
class RunLog {
 public:
  /// `resumed_total_step`: steps of all phases that the checkpoint holds; later lines of metrics.jsonl are removed.
  RunLog(const TrainingConfig& config, int rank, int ranks, int local_rank, std::int64_t resumed_total_step);

  /// Collective. RUN/prometheus-targets.json with the endpoints of all ranks, until this object goes.
  void publish(Communicator& control);

  /// Whether step(), after so many steps, writes a line of metrics.jsonl.
  bool is_logged(const PhaseSteps& planned, const StepCounts& counts) const;

  /// After each step. `seconds`: of the step.
  void step(const PhaseSteps& planned, const StepCounts& counts, const StepFigures& figures, const StepSamples& samples, double seconds,
            double wait_seconds);
  void directive(const Directive& directive, std::int64_t newest_generation);
  /// The generation of the pool that is read from now on.
  void pool(std::int64_t generation, std::int64_t photos, std::int64_t excluded);
  /// What is no step: an evaluation, a stage's end, an adopted generation.
  void event(const StepCounts& counts, Stage stage, Json event);
  void bad_sample(const std::string& reason);
  /// A line on standard error, from rank 0 only; the progress line makes room.
  void announce(const std::string& text);
  /// The present stage; its progress line stays.
  void stage_ends();
  /// `reason`: why the run stops before it is complete; empty when it is.
  void finished(const std::string& reason);
  /// The run ends with an error.
  void failed();
  ~RunLog();

 private:
  void push() const;
  void status(const std::function<void(Json&)>& change);
  void show(const PhaseSteps& planned, const StepCounts& counts, const StepFigures& figures);

  const TrainingConfig& config_;
  int rank_;
  std::unique_ptr<EventLog> metrics_log_, rank_log_;
  std::unique_ptr<TensorBoard> tensorboard_;
  RunMetrics metrics_;
  bool published_ = false;
  std::unique_ptr<Progress> progress_;
  std::optional<ShownStage> progress_stage_;
  struct ByName {
    bool operator()(Quantity a, Quantity b) const { return row_of(a).name < row_of(b).name; }
  };
  std::map<Quantity, std::pair<double, std::int64_t>, ByName> window_;  ///< sums since the last line
  std::optional<PhaseName> window_phase_;
  std::mutex mutex_;
  Json status_ = Json::object();
  bool ready_ = false;
  std::unique_ptr<HttpServer> server_;  ///< last: its threads use the members above
};

}  // namespace duet
