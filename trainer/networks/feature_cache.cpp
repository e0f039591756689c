#include "trainer/networks/feature_cache.h"

#include "monitoring/metrics/metrics.h"

namespace duet {

Tensor FeatureCache::get(const std::vector<Key>& keys, const std::function<Tensor(const std::vector<std::int64_t>& rows)>& compute,
                         bool one_by_one) {
  at::NoGradGuard no_gradients;
  std::vector<Tensor> features(keys.size());
  std::vector<std::int64_t> missing;
  for (std::size_t row = 0; row < keys.size(); ++row) {
    const auto found = kept_.find(keys[row]);
    if (found != kept_.end()) {
      features[row] = found->second;
    } else {
      missing.push_back(static_cast<std::int64_t>(row));
    }
  }
  auto keep = [&](std::int64_t row, const Tensor& feature) {
    const auto at = static_cast<std::size_t>(row);
    features[at] = feature;
    const auto size = static_cast<std::int64_t>(feature.nbytes());
    if (bytes_ + size <= limit_bytes_ && kept_.emplace(keys[at], feature).second) bytes_ += size;
  };
  if (one_by_one) {
    for (const auto row : missing) keep(row, compute({row})[0].contiguous());
  } else if (!missing.empty()) {
    const auto computed = compute(missing);
    for (std::size_t i = 0; i < missing.size(); ++i) keep(missing[i], computed[static_cast<std::int64_t>(i)].clone());
  }
  if (!missing.empty()) metrics().gauge("duet_cache_bytes").set(static_cast<double>(bytes_));
  return at::stack(features);
}

}  // namespace duet
