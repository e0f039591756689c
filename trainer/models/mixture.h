#pragma once
#include "base/torch.h"

namespace duet {

/// The distribution of the next step (docs/method.md §3.4), as the output layer gives it: mixture of M bivariate normals for the offset,
/// three pen states. Leading dimensions are any.
struct MixtureOutput {
  Tensor pen;                       ///< [..., 3] logits: touching, lifted, end
  Tensor weight;                    ///< [..., M] logits of π
  Tensor mean_x, mean_y;            ///< [..., M]
  Tensor log_sigma_x, log_sigma_y;  ///< [..., M]
  Tensor correlation;               ///< [..., M], ρ = tanh of it
};

/// raw: [..., 6M + 3], ordered as in MixtureOutput. Views, no copies.
MixtureOutput split_mixture(const Tensor& raw);

/// log Σ_j π_j N(offset; μ_j, σ_j, ρ_j), in log space throughout. offset: [..., 2]. Returns [...].
Tensor offset_log_density(const MixtureOutput& output, const Tensor& offset);

/// log p of the pen states. pen: [...] int64 in 0 … 2. Returns [...].
Tensor pen_log_probability(const MixtureOutput& output, const Tensor& pen);

/// A step drawn from the distribution.
struct DrawnStep {
  Tensor offset;  ///< [..., 2]
  Tensor pen;     ///< [...] int64
};

/// Mean of the component with the largest π; the most probable pen. Ties go to the first.
DrawnStep greedy_step(const MixtureOutput& output);

/// Drawn at a temperature (docs/method.md §3.8). noise: [..., 4]: uniform for the component (the first whose cumulated π exceeds it), two
/// normals (x from the first; y from ρ·first + √(1 − ρ²)·second), uniform for the pen.
DrawnStep sampled_step(const MixtureOutput& output, double temperature, const Tensor& noise);

}  // namespace duet
