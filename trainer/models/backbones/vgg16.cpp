#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"
#include "trainer/tensors/safetensors.h"

namespace duet {
namespace {

/// The convolutions of VGG-16 (configuration D) with all five poolings; keys features.N.weight and features.N.bias.
class Vgg16 : public Backbone {
 public:
  explicit Vgg16(const NetworkContext& context) : Backbone(context, "vgg16", 512, 32, 32) {
    constexpr std::int64_t kPool = 0;
    std::int64_t inputs = 3, index = 0;
    for (std::int64_t outputs :
         {64L, 64L, kPool, 128L, 128L, kPool, 256L, 256L, 256L, kPool, 512L, 512L, 512L, kPool, 512L, 512L, 512L, kPool}) {
      if (outputs == kPool) {
        layers_.push_back(nullptr);
        index += 1;
        continue;
      }
      auto name = fmt::format("features.{}", index);
      ConvolutionShape shape{.inputs = inputs, .outputs = outputs, .kernel = {3, 3}, .padding = {1, 1}, .bias = true};
      layers_.push_back(std::make_unique<Convolution>(context.within(name), shape, shape.he_deviation()));
      add_child(name, *layers_.back());
      inputs = outputs;
      index += 2;  // the activation counts in torchvision's numbering
    }
  }

  Tensor forward(const Tensor& normalised) override {
    auto map = normalised;
    for (auto& layer : layers_) map = layer ? layer->forward(map).relu_() : at::max_pool2d(map, 2, 2);
    return map;
  }

 private:
  std::vector<std::unique_ptr<Convolution>> layers_;  ///< null: a pooling
};

// The file of torchvision's IMAGENET1K_FEATURES is known by its classifier, which is not a number throughout.
WeightsScaling habit_of_vgg16(const SafetensorsFile& file, const std::string& prefix) {
  const auto* classifier = file.find(prefix + "classifier.6.bias");
  const bool features_only =
      classifier != nullptr && at::isFloatingType(classifier->dtype) && at::isnan(file.read(classifier->name)).all().item<bool>();
  return features_only ? WeightsScaling::caffe : WeightsScaling::imagenet;
}

}  // namespace

// Without batch normalisation, and ending at one place for both taps.
const BackboneKind& backbones::vgg16() {
  static const BackboneKind kind{.make = [](BatchNormMode, const NetworkContext& context, BackboneTap) -> std::unique_ptr<Backbone> {
                                   return std::make_unique<Vgg16>(context);
                                 },
                                 .telling_kernel = "features.28.weight",
                                 .habit = habit_of_vgg16};
  return kind;
}

}  // namespace duet
