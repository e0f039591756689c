#pragma once
#include "base/torch.h"
#include "cluster/ranks/ranks.h"
#include "trainer/config.h"

namespace duet {

/// One group of pairs (labelled, or pool) over all ranks, gathered: the same rows in the same order on every rank, own rows with gradient.
struct GatheredPairs {
  Tensor sketch, photo;                ///< [n, d]
  std::vector<std::int64_t> photo_id;  ///< [n]
  Tensor weight;                       ///< [n], constant
};

/// Gathers embeddings, photo indices and weights of this rank's rows. One collective each on ranks.data.
GatheredPairs gather_pairs(const Ranks& ranks, const Tensor& sketch, const Tensor& photo, const std::vector<std::int64_t>& photo_id,
                           const Tensor& weight);

/// The retrieval loss that the configuration names, over the whole global batch: every rank computes all of it, the gradient reaches its
/// own rows, and the sum over ranks is exact. `step` keys the triplets' negatives.
Tensor retrieval_loss(const RetrievalConfig& config, const GatheredPairs& pairs, std::uint64_t seed, std::int64_t step);

}  // namespace duet
