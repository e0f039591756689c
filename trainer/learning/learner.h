#pragma once
#include "base/error.h"
#include "base/json.h"
#include "cluster/reducer/gradient_reducer.h"
#include "trainer/config.h"
#include "trainer/learning/adam.h"

namespace duet {

/// Shortens the gradients of these parameters together to norm `limit`, where they are longer; 0: no limit.
void clip_gradients(const NamedTensors& parameters, double limit);

struct LearnerOptions {
  AdamOptions adam = {};
  std::int64_t skipped_limit = 0;  ///< so many updates in a row may be left out because a gradient was not finite
  /// Running statistics that each rank's forward passes have moved its own way (batch norm `local`); step() makes them the mean over ranks.
  NamedTensors statistics = {};
  std::string network = {};  ///< whose parameters these are, for messages
};

/// A set of parameters that is trained together: their gradients' reduction and their optimiser.
class Learner {
 public:
  Learner(NamedTensors parameters, Communicator& gradients, const ClusterConfig& cluster, LearnerOptions options = {});

  /// Backward pass of the rank's share of the loss; gradients are summed over ranks on the way. Collective. Throws as
  /// GradientReducer::finish; but when a gradient is not finite and the limit is not reached, the next step() changes nothing.
  void reduce(const Tensor& loss);
  /// The same for gradients that another reducer of these parameters gathers.
  void finish(GradientReducer& reducer);
  /// One step of the optimiser with the gradients as they stand. Returns their norm; not a number when the update was skipped.
  /// Collective where there are statistics.
  double step(double learning_rate);
  double apply(const Tensor& loss, double learning_rate);

  const NamedTensors& parameters() const { return parameters_; }

  /// Moments and step count, as Adam::state(); and the reducer's order, which is part of the sums' rounding.
  NamedTensors state() const { return adam_.state(); }
  Json order() const { return reducer_.order(); }
  std::int64_t skipped_in_a_row() const { return skipped_in_a_row_; }
  void load(const NamedTensors& state, const Json& order, std::int64_t skipped_in_a_row);

 private:
  void skip(const NumericalError& error);
  void average_statistics();

  NamedTensors parameters_, statistics_;
  Communicator& ranks_;
  GradientReducer reducer_;
  Adam adam_;
  std::int64_t skipped_limit_, skipped_in_a_row_ = 0;
  std::string network_;
  bool skips_ = false;  ///< the update that is being made
};

}  // namespace duet
