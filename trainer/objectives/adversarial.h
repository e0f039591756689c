#pragma once
#include "base/torch.h"

namespace duet {

enum class PairOrigin { human, generated };

/// Each pair's binary cross entropy, mean over patches, from logits (docs/method.md §4, paper Eq. 5): −log D for human pairs, −log(1 − D)
/// for generated. logits: [n, ...]. Returns [n].
/// A rank's share of the global loss is its sum divided by the global number of pairs of that origin.
Tensor adversarial_terms(const Tensor& logits, PairOrigin origin);

/// Share of the discriminator's loss that this rank's pairs carry: Σ human / human_total + Σ generated / generated_total (global counts).
/// Added over ranks it is Eq. 5 with both expectations as means. An origin with no rows here contributes zero.
Tensor adversarial_loss(const Tensor& human_logits, std::int64_t human_total, const Tensor& generated_logits, std::int64_t generated_total);

}  // namespace duet
