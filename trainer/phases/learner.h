#pragma once
#include "base/json.h"
#include "cluster/reducer/gradient_reducer.h"
#include "trainer/config.h"
#include "trainer/optimisation/adam.h"

namespace duet {

/// Shortens the gradients of these parameters together to norm `limit`, where they are longer; 0: no limit.
void clip_gradients(const std::vector<NamedTensor>& parameters, double limit);

/// A set of parameters that is trained together: their gradients' reduction and their optimiser.
class Learner {
 public:
  Learner(std::vector<NamedTensor> parameters, Communicator& gradients, const ClusterConfig& cluster, const AdamOptions& adam);

  /// Backward pass of the rank's share of the loss; gradients are summed over ranks on the way. Collective. Throws as
  /// GradientReducer::finish.
  void reduce(const Tensor& loss);
  /// One step of the optimiser with the gradients as they stand. Returns their norm.
  double step(double learning_rate);
  double apply(const Tensor& loss, double learning_rate);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }

  /// Moments and step count, as Adam::state(); and the reducer's order, which is part of the sums' rounding.
  std::vector<NamedTensor> state() const { return adam_.state(); }
  Json order() const { return reducer_.order(); }
  void load(const std::vector<NamedTensor>& state, const Json& order);

  const ReducerStatistics& communication() const { return reducer_.statistics(); }

 private:
  std::vector<NamedTensor> parameters_;
  GradientReducer reducer_;
  Adam adam_;
};

}  // namespace duet
