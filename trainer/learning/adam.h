#pragma once
#include "base/torch.h"
#include "trainer/tensors/named_tensors.h"

namespace duet {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< added to the gradient (L2), as in Adam's paper and PyTorch's Adam
  double clip = 0;          ///< largest norm of all gradients together; longer ones are shortened to it; 0: none
};

/// Adam with PyTorch's update rule, over a fixed set of parameters. One thread.
class Adam {
 public:
  /// Shares the parameters; moments start at zero. Parameters must be contiguous.
  Adam(NamedTensors parameters, const AdamOptions& options);

  /// One update from the parameters' present gradients, which must already be summed over the ranks and may be changed (clipping).
  /// Returns the norm of all gradients before clipping, summed in float64. Throws InternalError naming a parameter without gradient, and
  /// NumericalError naming one whose gradient is not finite, before anything has changed.
  double step(double learning_rate);

  std::int64_t steps() const { return steps_; }

  /// NAME.first_moment and NAME.second_moment of each parameter and `steps` (int64 scalar); the live tensors, except steps.
  NamedTensors state() const;
  /// Takes such a state, in any order. Throws DataError naming what is missing, too much or of another shape, before anything has changed.
  void load_state(const NamedTensors& state);

 private:
  AdamOptions options_;
  NamedTensors parameters_;
  std::vector<Tensor> first_, second_;
  std::int64_t steps_ = 0;
};

}  // namespace duet
