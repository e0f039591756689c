#include "trainer/loop/run_metrics.h"

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/time.h"

namespace duet {
namespace {

// The gauge's numbers, which boards and alerts know (docs/monitoring.md).
enum class StopReason { running = 0, complete = 1, requested = 2, error = 3 };

void set_stop_reason(StopReason reason) { metrics().gauge("duet_stop_reason").set(static_cast<double>(reason)); }

std::string network_of(PhaseName phase) {
  switch (phase) {
    case PhaseName::generator_fit:
    case PhaseName::joint_generator:
      return "generator";
    case PhaseName::retrieval_fit:
    case PhaseName::joint_retrieval:
      return "retrieval";
    case PhaseName::discriminator_warmup:
      return "discriminator";
  }
  throw InternalError("no phase {}", static_cast<int>(phase));
}

MetricLabels labels_of(QuantitySeries series, const PhaseSteps& planned) {
  switch (series) {
    case QuantitySeries::of_run:
      return {};
    case QuantitySeries::of_stage:
      return {.phase = to_word(planned.phase), .stage = to_word(planned.stage)};
    case QuantitySeries::of_own_network:
      return {.phase = to_word(planned.phase), .network = network_of(planned.phase)};
    case QuantitySeries::of_discriminator:
      return {.phase = to_word(planned.phase), .network = "discriminator"};
  }
  return {};
}

bool is_norm(Quantity quantity) { return quantity == Quantity::gradient_norm || quantity == Quantity::discriminator_gradient_norm; }

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void set_ratio(const std::string& metric, const MetricLabels& labels, const Json& figures, const char* figure) {
  metrics().gauge(metric, labels).set(figures.at(figure).get<double>() / 100);
}

}  // namespace

RunMetrics::RunMetrics(int ranks, std::int64_t planned_steps, std::int64_t restarts) : ranks_(ranks) {
  metrics().gauge("duet_ranks").set(ranks);
  metrics().gauge("duet_run_planned_steps").set(static_cast<double>(planned_steps));
  metrics().gauge("duet_restarts").set(static_cast<double>(restarts));
  metrics().gauge("duet_start_time_seconds").set(unix_seconds());
  set_stop_reason(StopReason::running);
  // There from the beginning, so that their first increase is seen as one.
  for (const char* name : {"duet_quarantined_samples_total", "duet_checkpoint_failures_total", "duet_checkpoints_total"})
    metrics().counter(name);
}

void RunMetrics::step(const PhaseSteps& planned, std::int64_t total_steps, const StepFigures& figures, const StepSamples& samples,
                      double seconds, double wait_seconds) {
  const MetricLabels labels{.phase = to_word(planned.phase), .stage = to_word(planned.stage)};
  if (active_.phase != labels.phase || active_.stage != labels.stage) {
    if (!active_.phase.empty()) metrics().gauge("duet_phase_active", active_).set(0);
    metrics().gauge("duet_phase_active", labels).set(1);
    active_ = labels;
  }
  metrics().counter("duet_steps_total", labels).add();
  metrics().histogram("duet_step_seconds", labels).observe(seconds);
  metrics().counter("duet_data_wait_seconds_total", labels).add(wait_seconds);
  metrics().gauge("duet_run_steps").set(static_cast<double>(total_steps));
  metrics().gauge("duet_last_step_time_seconds").set(unix_seconds());
  metrics().gauge("duet_resident_memory_bytes").set(resident_bytes());
  const std::pair<const char*, std::int64_t> counts[] = {{"duet_samples_total", samples.samples},
                                                         {"duet_triplets_total", samples.triplets},
                                                         {"duet_photos_total", samples.photos},
                                                         {"duet_pseudo_sketches_total", samples.pseudo_sketches}};
  for (const auto& [name, count] : counts) {
    if (count > 0) metrics().counter(name, labels).add(static_cast<double>(count) / ranks_);
  }
  for (const auto& [quantity, value] : figures) {
    const auto& metric = row_of(quantity).metric;
    if (metric.name.empty()) continue;
    const auto its = labels_of(metric.series, planned);
    metrics().gauge(std::string(metric.name), its).set(value);
    if (is_norm(quantity) && !std::isfinite(value)) metrics().counter("duet_skipped_steps_total", its).add();
  }
}

void RunMetrics::directive(std::int64_t newest_generation) {
  metrics().gauge("duet_directive_number").set(static_cast<double>(++directives_));
  if (newest_generation >= 0) metrics().gauge("duet_pool_newest_generation").set(static_cast<double>(newest_generation));
}

void RunMetrics::stopped(const std::string& reason) { set_stop_reason(reason.empty() ? StopReason::complete : StopReason::requested); }

void RunMetrics::failed() { set_stop_reason(StopReason::error); }

void RunMetrics::pool(std::int64_t generation, std::int64_t photos, std::int64_t excluded) {
  metrics().gauge("duet_pool_generation").set(static_cast<double>(generation));
  metrics().gauge("duet_pool_photos").set(static_cast<double>(photos));
  metrics().gauge("duet_pool_excluded_photos").set(static_cast<double>(excluded));
}

void set_evaluation_metrics(Stage stage, const Json& figures) {
  for (const auto& [weights, figure] : figures.items()) {
    const MetricLabels labels{.network = weights == "last" ? "retrieval" : weights, .stage = to_word(stage)};
    set_ratio("duet_evaluation_acc_at_1_ratio", labels, figure, "acc@1");
    set_ratio("duet_evaluation_acc_at_5_ratio", labels, figure, "acc@5");
    set_ratio("duet_evaluation_acc_at_10_ratio", labels, figure, "acc@10");
    set_ratio("duet_evaluation_mean_rank_percentile_ratio", labels, figure, "mean_rank_percentile");
  }
}

void set_generator_metrics(Stage stage, const Json& figures) {
  const MetricLabels labels{.stage = to_word(stage)};
  set_ratio("duet_generator_acc_at_1_ratio", labels, figures, "acc@1");
  set_ratio("duet_generator_acc_at_10_ratio", labels, figures, "acc@10");
  set_ratio("duet_generator_mean_rank_percentile_ratio", labels, figures, "mean_rank_percentile");
}

}  // namespace duet
