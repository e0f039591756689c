#include "trainer/objectives/vae_loss.h"

#include <cmath>

namespace duet {

Tensor reconstruction_terms(const MixtureOutput& output, const Tensor& targets, const Tensor& lengths) {
  const auto length = lengths.to(targets.device());
  const auto pen = targets.narrow(-1, 2, 3).argmax(-1);
  const auto counts = at::arange(targets.size(1), length.options()).unsqueeze(0).lt(length.unsqueeze(1));
  const auto moves = counts.logical_and(pen.ne(2));
  // where, not a product: an infinite density of a masked step must not become 0 · ∞.
  const auto masked = [&](const Tensor& terms, const Tensor& mask) { return at::where(mask, terms, at::zeros_like(terms)).sum(1); };
  const auto likelihood =
      masked(offset_log_density(output, targets.narrow(-1, 0, 2)), moves) + masked(pen_log_probability(output, pen), counts);
  return -likelihood / length.to(likelihood.scalar_type());
}

Tensor divergence_terms(const Tensor& mean, const Tensor& log_variance) {
  return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(1);
}

Tensor vae_loss(const Tensor& reconstruction, const Tensor& divergence, const VaeBatch& batch) {
  const auto size = static_cast<double>(batch.size);
  const auto share = reconstruction.sum() / size;
  if (batch.mean_divergence < batch.divergence_floor)
    return share + batch.divergence_weight * batch.divergence_floor * static_cast<double>(divergence.size(0)) / size;
  return share + batch.divergence_weight * divergence.sum() / size;
}

double divergence_weight(const GeneratorConfig& config, std::int64_t step) {
  return config.kl_weight - (config.kl_weight - config.kl_weight_start) * std::pow(config.kl_decay, static_cast<double>(step));
}

double generator_learning_rate(const GeneratorConfig& config, std::int64_t step) {
  return (config.learning_rate - config.learning_rate_floor) * std::pow(config.learning_rate_decay, static_cast<double>(step)) +
         config.learning_rate_floor;
}

}  // namespace duet
