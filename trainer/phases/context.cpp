#include "trainer/phases/context.h"

namespace duet {
namespace {

Tensor cached(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
              const std::vector<std::uint8_t>& flipped, const Tensor& images, const std::function<Tensor(const Tensor&)>& features) {
  std::vector<FeatureCache::Key> keys;
  for (std::size_t row = 0; row < record.size(); ++row) keys.push_back({static_cast<int>(source), record[row], flipped[row] != 0});
  auto compute = [&](const std::vector<std::int64_t>& rows) {
    return features(images.index_select(0, at::tensor(rows, at::kLong).to(images.device())));
  };
  return context.cache.get(keys, compute, context.device.device.is_cpu());
}

}  // namespace

Tensor encoded_maps(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                    const std::vector<std::uint8_t>& flipped, const Tensor& images) {
  auto& generator = *context.networks.generator;
  const Autocast autocast(context.device);
  if (context.config.generator.train_backbone) return generator.encode(images);
  const EvaluationMode evaluation(generator);
  return cached(context, source, record, flipped, images, [&](const Tensor& rows) { return generator.encode(rows); });
}

Tensor teacher_embeddings(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                          const std::vector<std::uint8_t>& flipped, const Tensor& images) {
  const Autocast autocast(context.device);
  return cached(context, source, record, flipped, images, [&](const Tensor& rows) { return context.networks.teacher->embed(rows); });
}

}  // namespace duet
