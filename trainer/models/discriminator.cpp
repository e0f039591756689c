#include "trainer/models/discriminator.h"

#include <algorithm>

#include "base/error.h"
#include "trainer/models/backbone.h"

namespace duet {
namespace {

constexpr double kDeviation = 0.02;  // pix2pix
constexpr std::int64_t kKernel = 4, kPadding = 1;

}  // namespace

Discriminator::Discriminator(const DiscriminatorConfig& config, int image_side, const NetworkContext& context)
    : side_(config.image_side > 0 ? config.image_side : image_side), mean_of_sigmoids_(config.score == CertaintyScore::mean_sigmoid) {
  std::int64_t inputs = 6, side = side_;
  for (int i = 0; i <= config.layers + 1; ++i) {
    Layer layer;
    layer.last = i == config.layers + 1;
    bool normalised = i > 0 && !layer.last;
    // Doubles from layer to layer, up to eight times the first. A bias in front of a normalisation would be cancelled by it.
    std::int64_t outputs = layer.last ? 1 : static_cast<std::int64_t>(config.width) << std::min(i, 3);
    std::int64_t stride = i < config.layers ? 2 : 1;
    ConvolutionShape shape{.inputs = inputs,
                           .outputs = outputs,
                           .kernel = {kKernel, kKernel},
                           .stride = stride,
                           .padding = {kPadding, kPadding},
                           .bias = !normalised};
    auto name = fmt::format("layers.{}", i);
    auto scope = context.within(name);
    layer.convolution = std::make_unique<Convolution>(scope.within("conv"), shape, kDeviation);
    add_child(name + ".conv", *layer.convolution);
    if (normalised && config.norm == DiscriminatorNorm::batch) {
      layer.norm = std::make_unique<BatchNorm>(scope.within("bn"), outputs, config.batch_norm);
      add_child(name + ".bn", *layer.norm);
    }
    layer.instance_norm = normalised && config.norm == DiscriminatorNorm::instance;
    layers_.push_back(std::move(layer));
    inputs = outputs;
    side = side + 2 * kPadding < kKernel ? 0 : (side + 2 * kPadding - kKernel) / stride + 1;
  }
  if (side < 1) {
    throw UsageError("discriminator.layers {} leaves no patch of images of {} pixels; fewer layers or a larger discriminator.image_side",
                     config.layers, side_);
  }
}

Tensor Discriminator::logits(const Tensor& photos, const Tensor& rasters) {
  auto dtype = layers_.front().convolution->parameters().front().tensor.scalar_type();
  auto prepared = [&](const Tensor& images) {
    auto unit = unit_images(images, dtype);
    if (unit.size(2) != side_ || unit.size(3) != side_) unit = at::adaptive_avg_pool2d(unit, {side_, side_});
    return unit.mul(2).sub_(1).expand({-1, 3, -1, -1});
  };
  auto map = at::cat({prepared(photos), prepared(rasters)}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  for (auto& layer : layers_) {
    if (layer.norm && layer.norm->is_affine()) {
      map = layer.convolution->forward(map, layer.norm->affine());
    } else {
      map = layer.convolution->forward(map);
      if (layer.norm) map = layer.norm->forward(map);
    }
    if (layer.instance_norm) map = at::instance_norm(map, {}, {}, {}, {}, /*use_input_stats=*/true, 0, 1e-5, true);
    if (!layer.last) map = at::leaky_relu(map, 0.2);
  }
  return map.squeeze(1);
}

Tensor Discriminator::score(const Tensor& photos, const Tensor& rasters) {
  at::NoGradGuard no_gradient;
  EvaluationMode evaluation(*this);
  auto patches = logits(photos, rasters).flatten(1);
  return mean_of_sigmoids_ ? patches.sigmoid().mean(1) : patches.mean(1).sigmoid();
}

}  // namespace duet
