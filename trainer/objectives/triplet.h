#pragma once
#include <cstdint>
#include <vector>

#include "base/torch.h"
#include "trainer/objectives/batch_rows.h"

namespace duet {

/// For each row of the global batch, the row whose photo is its negative: never the same photo,
/// always of the same group (docs/method.md §2.4).
///
/// Within a group it is a random derangement, so that each photo's row serves once; only where one photo fills more than half of a group,
/// which admits none, does each row draw for itself. A pure function: keyed by (seed, step), equal on all ranks and for any number of them.
/// Throws UsageError when a group shows one photo only.
std::vector<std::int64_t> negatives(const BatchRows& rows, std::uint64_t seed, std::uint64_t step);

/// Each row's triplet loss (docs/method.md §2.3, paper Eq. 4): max(0, margin + |s − p| − |s − n|), plain L2 distances.
/// sketch, positive, negative: [n, d]. Returns [n]. Also the retrieval part of the generator's reward.
Tensor triplet_terms(const Tensor& sketch, const Tensor& positive, const Tensor& negative, double margin);

/// Σ_i weight_i · term_i / n: over all rows of the global batch, divided by their number and not by the weights' sum (paper Eq. 7).
/// sketch, photo: [n, d], gathered from all ranks; negative: from negatives(); weight: [n], constant (no gradient flows into it).
/// Returns a scalar.
Tensor triplet_loss(const Tensor& sketch, const Tensor& photo, std::span<const std::int64_t> negative, const Tensor& weight, double margin);

}  // namespace duet
