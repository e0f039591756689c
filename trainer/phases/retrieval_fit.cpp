#include "trainer/phases/retrieval_fit.h"

#include "trainer/phases/retrieval_pairs.h"

namespace duet {

double retrieval_learning_rate(const RetrievalConfig& config, std::int64_t done) {
  if (done >= config.warmup_steps) return config.learning_rate;
  return config.learning_rate * static_cast<double>(done + 1) / static_cast<double>(config.warmup_steps);
}

RetrievalFit::RetrievalFit(const PhaseContext& context, Learner& learner) : context_(context), learner_(learner) {}

StepReport RetrievalFit::step(std::int64_t done) {
  const auto& config = context_.config;
  auto& networks = context_.networks;
  const auto batch = context_.streams.next(StreamName::retrieval);
  Tensor photo, sketch;
  {
    const Autocast autocast(context_.device);
    photo = networks.retrieval->embed(photos_of(batch, config.data.image_side, context_.device.device));
    sketch = networks.retrieval->embed(rasters_of(batch, config.data.image_side, context_.device.device));
  }
  const auto pairs =
      gather_pairs(context_.ranks, sketch, photo, batch.photo, at::ones({batch.size()}, sketch.options().requires_grad(false)));
  const auto loss =
      retrieval_loss(config.retrieval, pairs, config.run.seed, noise_key(NoiseKind::training, StreamName::retrieval, done).step);
  const auto rate = retrieval_learning_rate(config.retrieval, done);
  const auto norm = learner_.apply(loss, rate);
  if (networks.average) networks.average->update(*networks.retrieval);
  StepReport report;
  report.same(Quantity::total, loss.item<double>());
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, rate);
  return report;
}

}  // namespace duet
