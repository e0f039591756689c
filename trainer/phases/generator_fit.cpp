#include "trainer/phases/generator_fit.h"

#include "trainer/phases/variational.h"

namespace duet {

GeneratorFit::GeneratorFit(const PhaseContext& context, StreamName stream, Learner& learner)
    : context_(context), stream_(stream), learner_(learner) {}

StepReport GeneratorFit::step(std::int64_t done) {
  const auto& config = context_.config.generator;
  const auto batch = context_.streams.next(stream_);
  const VaeBatch global{.size = config.batch, .divergence_weight = divergence_weight(config, done), .divergence_floor = config.kl_floor};
  const auto variational = variational_loss(context_, batch, maps_of(batch), stream_, done, global, VariationalReach::all);
  const auto rate = generator_learning_rate(config, done);
  const auto norm = learner_.apply(variational.loss, rate);

  StepReport report;
  report.share(Quantity::total, variational.loss.item<double>());
  report.share(Quantity::reconstruction, variational.reconstruction.item<double>() / static_cast<double>(config.batch));
  report.same(Quantity::divergence, variational.mean_divergence);
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, rate);
  return report;
}

Tensor GeneratorFit::maps_of(const Batch& batch) const {
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  const bool pseudo = batch.photos.empty();  // a drawing without photo is its own
  const auto images = pseudo ? rasters_of(batch, side, device) : photos_of(batch, side, device);
  const auto source = stream_ == StreamName::strokes ? CacheSource::strokes_map : CacheSource::labelled_map;
  return trained_maps(context_, source, pseudo ? batch.record : batch.photo, batch.flipped, images);
}

}  // namespace duet
