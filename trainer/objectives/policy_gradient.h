#pragma once
#include "base/torch.h"
#include "trainer/models/mixture.h"

namespace duet {

/// log π of each drawing (docs/method.md §7): Σ over its drawn steps of log p(offset) + log p(pen); the end step counts with its pen only.
/// output: the distributions the steps were drawn from, [n, T, ...]: from the stored hidden states through the output layer, which thereby
/// is all that receives gradient. offsets: [n, T, 2], pen: [n, T] int64, length: [n] int64, as drawn; constants. Returns [n].
Tensor drawing_log_likelihood(const MixtureOutput& output, const Tensor& offsets, const Tensor& pen, const Tensor& length);

struct PolicyOptions {
  double weight = 10;  ///< λ_G
  double steps =
      100;  ///< divides the sum over steps: the longest drawing there can be (a constant, so no bias), or 1 for the literal Eq. 9
  std::int64_t batch = 0;  ///< drawings in the global batch
};

/// A rank's share of −λ · mean( (R − b) · log π / steps ), whose gradient is REINFORCE's (paper Eq. 9).
/// log_likelihood: [n]; reward, baseline: [n], constants.
Tensor policy_gradient_loss(const Tensor& log_likelihood, const Tensor& reward, const Tensor& baseline, const PolicyOptions& options);

/// Running mean of the reward, the default baseline. Plain data, so that a checkpoint can carry it.
struct RewardMean {
  double value = 0;
  bool started = false;  ///< before the first update the value is taken over whole

  /// `mean_reward`: over the global batch. Update after the step that used value: the baseline must not depend on the step's own rewards.
  void update(double mean_reward, double decay = 0.9);
};

}  // namespace duet
