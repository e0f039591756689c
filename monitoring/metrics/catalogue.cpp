#include "monitoring/metrics/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "monitoring/metrics/quantities.h"

namespace duet {
namespace {

constexpr auto kCounter = MetricKind::counter;
constexpr auto kGauge = MetricKind::gauge;
constexpr auto kHistogram = MetricKind::histogram;
constexpr auto kEvery = MetricPlace::every_rank;
constexpr auto kZero = MetricPlace::rank_zero;
constexpr auto kGpus = MetricPlace::gpus;

// From 1 ms to 100 s, three a decade.
const std::vector<double> kDurations{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100};

std::vector<std::string_view> labels_of(QuantitySeries series) {
  switch (series) {
    case QuantitySeries::of_run:
      return {};
    case QuantitySeries::of_stage:
      return {"phase", "stage"};
    case QuantitySeries::of_own_network:
    case QuantitySeries::of_discriminator:
      return {"network", "phase"};
  }
  throw InternalError("no such series of a quantity: {}", static_cast<int>(series));
}

// What a step reports, each metric at the first quantity that sets it.
std::vector<MetricRow> learning() {
  std::vector<MetricRow> table;
  for (const auto& [quantity, name, is_loss, shown, metric, chart] : kQuantities) {
    if (metric.name.empty() || std::ranges::find(table, metric.name, &MetricRow::name) != table.end()) continue;
    table.push_back({metric.name, kGauge, kEvery, labels_of(metric.series), metric.help});
  }
  return table;
}

std::vector<MetricRow> all_rows() {
  std::vector<MetricRow> table{
      // Progress.
      {"duet_steps_total", kCounter, kEvery, {"phase", "stage"}, "Training steps done by this process."},
      {"duet_step_seconds", kHistogram, kEvery, {"phase", "stage"}, "Duration of a training step.", kDurations},
      {"duet_run_steps", kGauge, kEvery, {}, "Steps that the run has behind it, over all phases, those before a resume included."},
      {"duet_run_planned_steps", kGauge, kEvery, {}, "Steps of the whole run, over all phases."},
      {"duet_phase_active", kGauge, kEvery, {"phase", "stage"}, "1 for the phase that trains now, 0 for those before it."},
      {"duet_start_time_seconds", kGauge, kEvery, {}, "When this process began to train, in seconds since 1970."},
      {"duet_last_step_time_seconds", kGauge, kEvery, {}, "When the last step ended, in seconds since 1970."},
      // Coordinator.
      {"duet_directive_number", kGauge, kEvery, {}, "Directives received since this process began."},
      {"duet_ranks", kGauge, kEvery, {}, "Ranks that the run was started with."},
      {"duet_ranks_alive", kGauge, kZero, {}, "Ranks that answered before the last directive."},
      {"duet_stop_reason", kGauge, kEvery, {}, "Why the run ends: 0 it goes on, 1 it is complete, 2 a signal asked for it, 3 an error."},
      {"duet_restarts", kGauge, kEvery, {}, "How often the run was started before."},
      // Samples.
      {"duet_samples_total", kCounter, kEvery, {"phase", "stage"}, "Photos and sketches that passed the trained networks."},
      {"duet_triplets_total", kCounter, kEvery, {"phase", "stage"}, "Rows of the retrieval objective: sketch, photo and negatives."},
      {"duet_photos_total", kCounter, kEvery, {"phase", "stage"}, "Photos among the samples."},
      {"duet_pseudo_sketches_total", kCounter, kEvery, {"phase", "stage"}, "Sketches that the generator drew for training."},
  };
  std::ranges::move(learning(), std::back_inserter(table));
  table.insert(
      table.end(),
      {
          {"duet_skipped_steps_total", kCounter, kEvery, {"network", "phase"}, "Updates left out because a gradient was not finite."},
          // Communication.
          {"duet_communication_seconds_total", kCounter, kEvery, {}, "Time that buckets of gradients were under way."},
          {"duet_communication_exposed_seconds_total", kCounter, kEvery, {}, "Of that, what the backward pass did not hide."},
          {"duet_communication_bytes_total", kCounter, kEvery, {}, "Bytes of gradients sent."},
          {"duet_communication_wait_seconds_total",
           kCounter,
           kEvery,
           {},
           "Time this rank stood still in collectives of all kinds. The rank that the others wait for has the least."},
          // Data.
          {"duet_data_wait_seconds_total", kCounter, kEvery, {"phase", "stage"}, "Time this rank waited for decoded samples."},
          {"duet_photos_read_total", kCounter, kEvery, {}, "Photos read from stores."},
          {"duet_read_bytes_total", kCounter, kEvery, {}, "Bytes of photos and sketches read from stores."},
          {"duet_quarantined_samples_total", kCounter, kEvery, {}, "Samples that could not be read and were replaced."},
          // Checkpoints.
          {"duet_checkpoints_total", kCounter, kZero, {}, "Checkpoints written by this process."},
          {"duet_checkpoint_failures_total", kCounter, kZero, {}, "Checkpoints that could not be written."},
          {"duet_checkpoint_stall_seconds", kHistogram, kZero, {}, "How long training stood still for a checkpoint.", kDurations},
          {"duet_checkpoint_write_seconds", kHistogram, kZero, {}, "How long a checkpoint took to be written and verified.", kDurations},
          {"duet_checkpoint_time_seconds", kGauge, kZero, {}, "When the last good checkpoint was written, in seconds since 1970."},
          {"duet_checkpoint_step", kGauge, kZero, {}, "Its step."},
          {"duet_checkpoint_bytes", kGauge, kZero, {}, "Its size."},
          // Pool.
          {"duet_pool_generation", kGauge, kEvery, {}, "Generation of the pool that this rank reads."},
          {"duet_pool_newest_generation", kGauge, kZero, {}, "Newest generation on disk."},
          {"duet_pool_photos", kGauge, kEvery, {}, "Photos of the generation that is read."},
          {"duet_pool_excluded_photos", kGauge, kEvery, {}, "Of these, left out because they look like a held-out photo."},
          // Memory.
          {"duet_resident_memory_bytes", kGauge, kEvery, {}, "Main memory that this process holds."},
          {"duet_cache_bytes", kGauge, kEvery, {}, "Of that, features of networks that do not change."},
          {"duet_gpu_memory_bytes", kGauge, kGpus, {}, "Memory in use on this rank's GPU, by whichever process."},
          // Evaluation.
          {"duet_evaluation_acc_at_1_ratio", kGauge, kZero, {"network", "stage"}, "Validation queries whose photo is found first, 0 to 1."},
          {"duet_evaluation_acc_at_5_ratio", kGauge, kZero, {"network", "stage"}, "… among the first five."},
          {"duet_evaluation_acc_at_10_ratio", kGauge, kZero, {"network", "stage"}, "… among the first ten."},
          {"duet_evaluation_mean_rank_percentile_ratio",
           kGauge,
           kZero,
           {"network", "stage"},
           "Share of the gallery behind the true photo, mean over queries, 0 to 1."},
          {"duet_generator_acc_at_1_ratio", kGauge, kZero, {"stage"}, "The same of sketches that the generator drew of validation photos."},
          {"duet_generator_acc_at_10_ratio", kGauge, kZero, {"stage"}, "… among the first ten."},
          {"duet_generator_mean_rank_percentile_ratio", kGauge, kZero, {"stage"}, "… mean rank percentile."},
      });
  return table;
}

const std::vector<MetricRow>& rows() {
  static const auto table = all_rows();
  return table;
}

const char* name_of(MetricKind kind) {
  switch (kind) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      return "histogram";
  }
  throw InternalError("no such kind of metric: {}", static_cast<int>(kind));
}

const char* name_of(MetricPlace place) {
  switch (place) {
    case kEvery:
      return "every rank";
    case kZero:
      return "rank 0";
    case kGpus:
      return "ranks with a GPU";
  }
  throw InternalError("no such place of a metric: {}", static_cast<int>(place));
}

}  // namespace

std::span<const MetricRow> metric_catalogue() { return rows(); }

const MetricRow& metric_row(std::string_view name) {
  const auto found = std::ranges::find(rows(), name, &MetricRow::name);
  if (found == rows().end()) throw InternalError("metric '{}' is not in the catalogue (monitoring/metrics/catalogue.cpp)", name);
  return *found;
}

std::string metrics_markdown() {
  std::string text = "| metric | kind | labels | counted by | meaning |\n|---|---|---|---|---|\n";
  for (const auto& row : rows()) {
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", row.name, name_of(row.kind), fmt::join(row.labels, ", "), name_of(row.place),
                        row.help);
  }
  return text;
}

}  // namespace duet
