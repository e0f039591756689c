#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"

namespace duet {
namespace {

/// Three convolutions that halve the map and one that does not: enough to learn synthetic data in seconds on one core.
class Tiny : public Backbone {
 public:
  Tiny(BatchNormMode mode, const NetworkContext& context) : Backbone(context, "tiny", 64, 8, 1) {
    std::int64_t inputs = 3;
    for (std::int64_t outputs : {16L, 32L, 64L, 64L}) {
      auto name = fmt::format("layers.{}", layers_.size());
      ConvolutionShape shape{
          .inputs = inputs, .outputs = outputs, .kernel = {3, 3}, .stride = layers_.size() < 3 ? 2 : 1, .padding = {1, 1}};
      layers_.push_back(std::make_unique<ConvolutionNorm>(context.within(name), ConvolutionNorm::Names{"conv", "bn"}, shape,
                                                          shape.he_deviation(), mode, Activation::relu));
      add_child(name, *layers_.back());
      inputs = outputs;
    }
  }

  Tensor forward(const Tensor& normalised) override {
    auto map = normalised;
    for (auto& layer : layers_) map = layer->forward(map);
    return map;
  }

 private:
  std::vector<std::unique_ptr<ConvolutionNorm>> layers_;
};

}  // namespace

// Ends at one place for both taps.
const BackboneKind& backbones::tiny() {
  static const BackboneKind kind{.make = [](BatchNormMode mode, const NetworkContext& context, BackboneTap) -> std::unique_ptr<Backbone> {
                                   return std::make_unique<Tiny>(mode, context);
                                 },
                                 .telling_kernel = "layers.3.conv.weight"};
  return kind;
}

}  // namespace duet
