#pragma once
#include "base/torch.h"
#include "trainer/config.h"
#include "trainer/models/mixture.h"

namespace duet {

// The generator's variational loss, docs/method.md §3.5. Functions give one value a sample, so that a rank can add up
// its share of the global batch: N ranks then compute what one would.

/// Each sequence's −(1/T) Σ_t [ log p(Δ_t) where the step is not the end + log p(pen_t) ], over its T = length steps, the end included.
/// output: [n, steps, ...]; targets: [n, steps, 5] (Δx, Δy, pen one-hot); lengths: [n] int64. Steps behind the length do not count. Returns
/// [n].
Tensor reconstruction_terms(const MixtureOutput& output, const Tensor& targets, const Tensor& lengths);

/// Each sample's KL( N(mean, exp(log_variance)) ‖ N(0, 1) ), mean over the latent dimensions. mean, log_variance: [n, d]. Returns [n].
Tensor divergence_terms(const Tensor& mean, const Tensor& log_variance);

/// What the global loss  mean(reconstruction) + weight · max(mean(divergence), floor)  needs besides a rank's own samples.
struct VaeBatch {
  std::int64_t size = 0;       ///< samples in the global batch
  double mean_divergence = 0;  ///< over the global batch: Σ over ranks of Σ divergence_terms, divided by size
  double divergence_weight = 1;
  double divergence_floor = 0;
};

/// A rank's share; the shares of all ranks add up to the global loss, their gradients to its gradient. Below the floor the divergence
/// counts as the floor and has no gradient.
Tensor vae_loss(const Tensor& reconstruction, const Tensor& divergence, const VaeBatch& batch);

/// kl_weight − (kl_weight − kl_weight_start) · kl_decay^step.
double divergence_weight(const GeneratorConfig& config, std::int64_t step);

/// (learning_rate − floor) · decay^step + floor.
double generator_learning_rate(const GeneratorConfig& config, std::int64_t step);

}  // namespace duet
