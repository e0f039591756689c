#pragma once
#include "base/torch.h"

namespace duet {

// Noise of the generator on the CPU in float64, keyed by (seed, purpose, step, sample): rows are the same on any rank and in any batch.
// `samples` names each row, best by its position in the global stream.

/// ε of the latent, standard normal: [samples, width].
Tensor latent_noise(std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> samples, std::int64_t width);

/// For Generator::draw: [samples, steps, 4]: uniform, normal, normal, uniform. A shorter drawing reads a prefix of the same numbers.
Tensor drawing_noise(std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> samples, std::int64_t steps);

}  // namespace duet
