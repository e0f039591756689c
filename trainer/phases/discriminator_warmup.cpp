#include "trainer/phases/discriminator_warmup.h"

#include "trainer/networks/pseudo_sketches.h"
#include "trainer/objectives/adversarial.h"

namespace duet {

StepReport train_discriminator(const PhaseContext& context, Learner& learner, const Tensor& human_photos, const Tensor& human_rasters,
                               const Tensor& generated_photos, const Tensor& generated_rasters) {
  const auto ranks = context.ranks.size();
  const auto human = human_photos.size(0), generated = generated_photos.size(0);
  Tensor loss;
  {
    const Autocast autocast(context.device);
    const auto logits =
        context.networks.discriminator->logits(at::cat({human_photos, generated_photos}), at::cat({human_rasters, generated_rasters}));
    loss = adversarial_loss(logits.narrow(0, 0, human), human * ranks, logits.narrow(0, human, generated), generated * ranks);
  }
  const auto rate = context.config.discriminator.learning_rate;
  const auto norm = learner.apply(loss, rate);
  StepReport report;
  report.share(Quantity::discriminator, loss.item<double>());
  report.same(Quantity::discriminator_gradient_norm, norm);
  report.same(Quantity::discriminator_learning_rate, rate);
  return report;
}

DiscriminatorWarmup::DiscriminatorWarmup(const PhaseContext& context, Learner& learner) : context_(context), learner_(learner) {}

StepReport DiscriminatorWarmup::step(std::int64_t done) {
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  const auto pairs = context_.streams.next(StreamName::warmup_pairs);
  const auto pool = context_.streams.next(StreamName::joint_pool);
  const auto pool_photos = photos_of(pool, side, device);
  const auto map = encoded_maps(context_, CacheSource::pool_map, pool.photo, pool.flipped, pool_photos);
  const auto drawn = draw_sketches(context_.sketches(), map, noise_keys(NoiseKind::training, StreamName::warmup_pairs, done, pool.position),
                                   context_.config.joint.temperature, false);
  return train_discriminator(context_, learner_, photos_of(pairs, side, device), rasters_of(pairs, side, device), pool_photos,
                             rasters_of(context_.sketches(), drawn.sketches));
}

}  // namespace duet
