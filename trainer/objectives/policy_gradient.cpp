#include "trainer/objectives/policy_gradient.h"

namespace duet {

Tensor drawing_log_likelihood(const MixtureOutput& output, const Tensor& offsets, const Tensor& pen, const Tensor& length) {
  const auto drawn = at::arange(pen.size(1), length.options()).unsqueeze(0).lt(length.unsqueeze(1));
  const auto moves = drawn.logical_and(pen.ne(2));
  const auto masked = [&](const Tensor& terms, const Tensor& mask) { return at::where(mask, terms, at::zeros_like(terms)).sum(1); };
  return masked(offset_log_density(output, offsets), moves) + masked(pen_log_probability(output, pen), drawn);
}

Tensor policy_gradient_loss(const Tensor& log_likelihood, const Tensor& reward, const Tensor& baseline, const PolicyOptions& options) {
  const auto advantage = (reward - baseline).detach();
  return -options.weight * (advantage * log_likelihood).sum() / (options.steps * static_cast<double>(options.batch));
}

void RewardMean::update(double mean_reward, double decay) {
  value = started ? decay * value + (1 - decay) * mean_reward : mean_reward;
  started = true;
}

}  // namespace duet
