#include "trainer/phases/retrieval_pairs.h"

#include "base/error.h"
#include "cluster/reducer/tensor_collectives.h"
#include "trainer/objectives/infonce.h"
#include "trainer/objectives/triplet.h"

namespace duet {

GatheredPairs gather_pairs(const Ranks& ranks, const Tensor& sketch, const Tensor& photo, const std::vector<std::int64_t>& photo_id,
                           const Tensor& weight) {
  const auto dimension = sketch.size(1);
  const auto gathered = all_gather_rows(at::cat({sketch, photo, weight.detach().to(sketch.scalar_type()).unsqueeze(1)}, 1), ranks.data);
  GatheredPairs pairs;
  pairs.sketch = gathered.narrow(1, 0, dimension);
  pairs.photo = gathered.narrow(1, dimension, dimension);
  pairs.weight = gathered.select(1, 2 * dimension).detach();
  pairs.photo_id.resize(photo_id.size() * static_cast<std::size_t>(ranks.size()));
  ranks.data.all_gather(photo_id.data(), pairs.photo_id.data(), static_cast<std::int64_t>(photo_id.size()), DataType::int64);
  return pairs;
}

Tensor retrieval_loss(const RetrievalConfig& config, const GatheredPairs& pairs, std::uint64_t seed, std::int64_t step) {
  const std::vector<std::int64_t> one_group(pairs.photo_id.size(), 0);
  const BatchRows rows{pairs.photo_id, one_group};
  switch (config.objective) {
    case Objective::infonce:
      return infonce_loss(pairs.sketch, pairs.photo, rows, pairs.weight, config.temperature);
    case Objective::triplet:
      return triplet_loss(pairs.sketch, pairs.photo, negatives(rows, seed, static_cast<std::uint64_t>(step)), pairs.weight, config.margin);
  }
  throw InternalError("no objective {}", static_cast<int>(config.objective));
}

}  // namespace duet
