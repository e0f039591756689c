#pragma once
#include <optional>
#include <string>

#include "trainer/data/training_data.h"
#include "trainer/evaluation/retrieval_evaluation.h"
#include "trainer/loop/run_state.h"

namespace duet {

/// Measures the retrieval network on held-out photos and keeps the weights that did best there. All methods are collective.
///
/// Best is the highest acc@1 on the validation split, then the highest mean rank percentile; the last weights and the average compete.
class Validation {
 public:
  Validation(const TrainingConfig& config, const Ranks& ranks, RunState& state, const OpenedData& data);

  /// Figures of the last weights and the average on the validation split: {"last": {…}, "average": {…}}; null without such a split.
  Json validate();

  /// The same, and of the best weights so far, for every held-out split: {"validation": {"last": …, "average": …, "best": …}, "test": …}.
  Json measure_all();

  /// Sketches that the generator draws of the validation photos, judged by the teacher, or by the average before there is one; null without
  /// generator, validation split or judge.
  Json judge_generator();

  /// The best weights, as a network's state; empty before the first validate().
  const NamedTensors& best() const { return best_; }
  Json progress() const { return best_place_; }
  void restore(const NamedTensors& best, Json progress);

 private:
  RetrievalMetrics metrics_on(const StoreView& view);
  template <typename Use>
  void with_average(const Use& use);
  void exchange_best();
  void consider(const std::string& weights, const RetrievalMetrics& metrics);

  const TrainingConfig& config_;
  Ranks ranks_;
  RunState& state_;
  std::optional<StoreView> validation_, test_;
  NamedTensors best_;
  Json best_place_;  ///< {"weights", "total_step", "acc@1", "mean_rank_percentile"}
};

}  // namespace duet
