#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"

namespace duet {
namespace {

/// Expand (1×1), filter each channel (3×3), project (1×1) without activation; added to its input where shapes agree.
class InvertedResidual : public Module {
 public:
  InvertedResidual(const NetworkContext& context, std::int64_t inputs, std::int64_t outputs, std::int64_t stride, std::int64_t expansion,
                   BatchNormMode mode)
      : residual_(stride == 1 && inputs == outputs) {
    auto hidden = inputs * expansion;
    int index = 0;
    auto add = [&](const ConvolutionNorm::Names& names, const ConvolutionShape& shape, Activation activation) {
      layers_.push_back(std::make_unique<ConvolutionNorm>(context, names, shape, shape.he_deviation(), mode, activation));
      add_child("", *layers_.back());
    };
    auto activated = [&](const ConvolutionShape& shape) {
      add({fmt::format("conv.{}.0", index), fmt::format("conv.{}.1", index)}, shape, Activation::relu6);
      ++index;
    };
    if (expansion != 1) activated({.inputs = inputs, .outputs = hidden});
    activated({.inputs = hidden, .outputs = hidden, .kernel = {3, 3}, .stride = stride, .padding = {1, 1}, .groups = hidden});
    add({fmt::format("conv.{}", index), fmt::format("conv.{}", index + 1)}, {.inputs = hidden, .outputs = outputs}, Activation::none);
  }

  Tensor forward(const Tensor& input) {
    auto map = input;
    for (auto& layer : layers_) map = layer->forward(map);
    return residual_ ? input + map : map;
  }

 private:
  bool residual_;
  std::vector<std::unique_ptr<ConvolutionNorm>> layers_;
};

class MobileNetV2 : public Backbone {
 public:
  MobileNetV2(BatchNormMode mode, const NetworkContext& context, BackboneTap tap)
      : Backbone(context, "mobilenet_v2", tap == BackboneTap::final ? 1280 : 96, tap == BackboneTap::final ? 32 : 16, 1) {
    struct Row {
      std::int64_t expansion, channels, repeats, stride;
    };
    auto convolution = [&](const std::string& name, const ConvolutionShape& shape) {
      auto layer = std::make_unique<ConvolutionNorm>(context.within(name), ConvolutionNorm::Names{"0", "1"}, shape, shape.he_deviation(),
                                                     mode, Activation::relu6);
      add_child(name, *layer);
      return layer;
    };
    first_ = convolution("features.0", {.inputs = 3, .outputs = 32, .kernel = {3, 3}, .stride = 2, .padding = {1, 1}});
    std::int64_t inputs = 32, index = 1;
    for (const auto& row :
         {Row{1, 16, 1, 1}, Row{6, 24, 2, 2}, Row{6, 32, 3, 2}, Row{6, 64, 4, 2}, Row{6, 96, 3, 1}, Row{6, 160, 3, 2}, Row{6, 320, 1, 1}}) {
      if (tap == BackboneTap::generator && row.channels > channels()) break;
      for (std::int64_t i = 0; i < row.repeats; ++i) {
        auto name = fmt::format("features.{}", index++);
        blocks_.push_back(
            std::make_unique<InvertedResidual>(context.within(name), inputs, row.channels, i == 0 ? row.stride : 1, row.expansion, mode));
        add_child(name, *blocks_.back());
        inputs = row.channels;
      }
    }
    if (tap == BackboneTap::final) last_ = convolution("features.18", {.inputs = 320, .outputs = 1280});
  }

  Tensor forward(const Tensor& normalised) override {
    auto map = first_->forward(normalised);
    for (auto& block : blocks_) map = block->forward(map);
    return last_ ? last_->forward(map) : map;
  }

 private:
  std::unique_ptr<ConvolutionNorm> first_, last_;  ///< last_ is null at the generator's tap
  std::vector<std::unique_ptr<InvertedResidual>> blocks_;
};

}  // namespace

const BackboneKind& backbones::mobilenet_v2() {
  static const BackboneKind kind{
      .make = [](BatchNormMode mode, const NetworkContext& context, BackboneTap tap) -> std::unique_ptr<Backbone> {
        return std::make_unique<MobileNetV2>(mode, context, tap);
      },
      .telling_kernel = "features.13.conv.0.0.weight"};
  return kind;
}

}  // namespace duet
