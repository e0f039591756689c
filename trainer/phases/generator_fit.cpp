#include "trainer/phases/generator_fit.h"

#include "trainer/models/draw_noise.h"
#include "trainer/models/stroke_batch.h"
#include "trainer/objectives/vae_loss.h"

namespace duet {

GeneratorFit::GeneratorFit(const PhaseContext& context, StreamName stream, Learner& learner)
    : context_(context), stream_(stream), learner_(learner) {}

StepReport GeneratorFit::step(std::int64_t done) {
  const auto& config = context_.config.generator;
  auto& generator = *context_.networks.generator;
  const auto batch = context_.streams.next(stream_);
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  const auto images = batch.photos.empty() ? rasters_of(batch, side, device) : photos_of(batch, side, device);
  const auto source = stream_ == StreamName::strokes ? CacheSource::strokes_map : CacheSource::labelled_map;
  const auto map = trained_maps(context_, source, batch.photos.empty() ? batch.record : batch.photo, batch.flipped, images);

  const auto latent = generator.latent(map);
  const auto noise =
      latent_noise(context_.config.run.seed, noise_key(NoiseKind::training, stream_, done).step, batch.position, config.latent);
  const auto z = Generator::sample_latent(latent, noise);
  const auto strokes = make_stroke_batch(batch.sequences, generator.offset_scale(), context_.device.dtype, device, "a training sequence");
  Tensor hidden;
  {
    const Autocast autocast(context_.device);
    hidden = generator.teacher_forced(map, z, strokes.inputs, strokes.lengths).to(context_.device.dtype);
  }
  const auto reconstruction = reconstruction_terms(generator.output(hidden), strokes.targets, strokes.lengths);
  const auto divergence = divergence_terms(latent.mean, latent.log_variance);

  VaeBatch global{.size = config.batch, .divergence_weight = divergence_weight(config, done), .divergence_floor = config.kl_floor};
  global.mean_divergence = context_.ranks.statistics.all_reduce(divergence.sum().item<double>()) / static_cast<double>(global.size);
  const auto loss = vae_loss(reconstruction, divergence, global);
  const auto rate = generator_learning_rate(config, done);
  const auto norm = learner_.apply(loss, rate);

  StepReport report;
  report.share(Quantity::total, loss.item<double>());
  report.share(Quantity::reconstruction, reconstruction.sum().item<double>() / static_cast<double>(global.size));
  report.same(Quantity::divergence, global.mean_divergence);
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, rate);
  return report;
}

}  // namespace duet
