#include "trainer/phases/variational.h"

#include "trainer/models/draw_noise.h"
#include "trainer/models/stroke_batch.h"

namespace duet {

VariationalLoss variational_loss(const PhaseContext& context, const Batch& batch, const Tensor& map, StreamName stream, std::int64_t done,
                                 VaeBatch global, VariationalReach reach) {
  const auto& config = context.config;
  const auto& generator = *context.networks.generator;
  const auto strokes =
      make_stroke_batch(batch.sequences, generator.offset_scale(), context.device.dtype, context.device.device, "a training sequence");
  Tensor hidden;
  Generator::Latent latent;
  {
    const at::AutoGradMode gradients(reach == VariationalReach::all);
    latent = generator.latent(map);
    const auto key = noise_key(NoiseKind::training, stream, done);
    const auto noise = latent_noise(config.run.seed, key.step, batch.position, config.generator.latent);
    const auto z = Generator::sample_latent(latent, noise);
    const Autocast autocast(context.device);
    hidden = generator.teacher_forced(map, z, strokes.inputs, strokes.lengths).to(context.device.dtype);
  }
  const auto reconstruction = reconstruction_terms(generator.output(hidden), strokes.targets, strokes.lengths);
  const auto divergence = divergence_terms(latent.mean, latent.log_variance);
  global.mean_divergence = context.ranks.statistics.all_reduce(divergence.sum().item<double>()) / static_cast<double>(global.size);
  return {.loss = vae_loss(reconstruction, divergence, global),
          .reconstruction = reconstruction.detach().sum(),
          .mean_divergence = global.mean_divergence};
}

}  // namespace duet
