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

bool joint_trains_encoder(const TrainingConfig& config) {
  return config.generator.train_backbone && config.joint.generator_scope == GeneratorScope::all && config.joint.vae > 0 &&
         config.joint.generator_steps > 0;
}

Tensor encoded_maps(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                    const std::vector<std::uint8_t>& flipped, const Tensor& images) {
  auto& generator = *context.networks.generator;
  const at::NoGradGuard no_gradients;
  const Autocast autocast(context.device);
  const EvaluationMode evaluation(generator);
  auto encode = [&](const Tensor& rows) { return generator.encode(rows).to(context.device.dtype); };
  if (joint_trains_encoder(context.config)) return encode(images);
  return cached(context, source, record, flipped, images, encode);
}

Tensor trained_maps(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                    const std::vector<std::uint8_t>& flipped, const Tensor& images) {
  if (!context.config.generator.train_backbone) return encoded_maps(context, source, record, flipped, images);
  const Autocast autocast(context.device);
  return context.networks.generator->encode(images).to(context.device.dtype);
}

Tensor teacher_embeddings(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                          const std::vector<std::uint8_t>& flipped, const Tensor& images) {
  const Autocast autocast(context.device);
  return cached(context, source, record, flipped, images, [&](const Tensor& rows) { return context.networks.teacher->embed(rows); });
}

}  // namespace duet
