#pragma once
#include <span>

#include "base/torch.h"

namespace duet {

/// One number a row as an int64 tensor [n] on `device`.
Tensor row_tensor(std::span<const std::int64_t> values, const at::Device& device);

/// Σ_i weight_i · term_i / n (paper Eq. 7). terms, weight: [n]; no gradient flows into the weights.
Tensor weighted_mean(const Tensor& terms, const Tensor& weight);

}  // namespace duet
