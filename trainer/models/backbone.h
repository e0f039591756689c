#pragma once
#include "trainer/models/batch_norm.h"
#include "trainer/models/module.h"

namespace duet {

class SafetensorsFile;

/// What is subtracted from and divided out of RGB in 0…1 before a backbone sees it.
struct Normalisation {
  std::array<double, 3> mean{0.485, 0.456, 0.406};  ///< ImageNet's, torchvision's habit
  std::array<double, 3> deviation{0.229, 0.224, 0.225};
};

/// Images as they come from a loader, in 0…1, channels-last in memory, of `dtype`:
///   uint8 [n, s, s, 3] photos → [n, 3, s, s];  uint8 [n, s, s] rasters → [n, 1, s, s];  floating [n, c, s, s], already in 0…1, is only
///   converted.
Tensor unit_images(const Tensor& images, at::ScalarType dtype);

/// A convolutional network that turns images into a map of features. Keys of its tensors are torchvision's.
class Backbone : public Module {
 public:
  /// normalised: [n, 3, h, w], best channels-last. Returns [n, channels(), h', w'] with h' about h / stride().
  virtual Tensor forward(const Tensor& normalised) = 0;

  /// forward() of images as unit_images() takes them; rasters become three equal channels.
  Tensor features(const Tensor& images) { return forward(normalise(images)); }
  Tensor normalise(const Tensor& images) const;

  const std::string& name() const { return name_; }
  std::int64_t channels() const { return channels_; }
  std::int64_t stride() const { return stride_; }
  /// Smallest side of an image that leaves at least one position in the map.
  std::int64_t smallest_side() const { return smallest_side_; }

  /// Kept in the buffers input_mean and input_deviation, so that copies and checkpoints carry it. At first ImageNet's.
  void set_normalisation(const Normalisation& normalisation);
  Normalisation normalisation() const;

 protected:
  Backbone(const NetworkContext& context, std::string name, std::int64_t channels, std::int64_t stride, std::int64_t smallest_side);

 private:
  std::string name_;
  std::int64_t channels_, stride_, smallest_side_;
  Tensor input_mean_, input_deviation_;
};

/// Where a backbone ends; layers behind that point are not built, so every parameter has a gradient.
enum class BackboneTap {
  final,  ///< its last map: inception_v3 Mixed_7c (2048), vgg16 pool5 (512), mobilenet_v2 features.18 (1280), each at stride 32; tiny (64,
          ///< stride 8)
  generator,  ///< a map fine enough to draw from: inception_v3 Mixed_6e (768) and mobilenet_v2 features.13 (96) at stride 16; vgg16 and
              ///< tiny as final
};

/// What a file of trainer/models/backbones/ tells about its network. The file defines `const BackboneKind& backbones::NAME()`, where NAME is
/// the file's own name and the word that retrieval.backbone and generator.backbone take; nothing else lists backbones.
struct BackboneKind {
  std::unique_ptr<Backbone> (*make)(BatchNormMode mode, const NetworkContext& context, BackboneTap tap);
  /// A kernel that no other backbone's file of weights holds.
  const char* telling_kernel;
  /// The scaling of images that the usual weights take, where their file (keys with `prefix`) does not say.
  WeightsScaling (*habit)(const SafetensorsFile& file, const std::string& prefix) = [](const SafetensorsFile&, const std::string&) {
    return WeightsScaling::imagenet;
  };
};

/// All backbones, by name, in the order in which options list them.
const std::vector<std::pair<std::string, BackboneKind>>& backbone_kinds();
/// Throws UsageError for another name.
const BackboneKind& backbone_kind(const std::string& name);

/// Initial weights are drawn as torchvision does for each. Throws UsageError for another name.
std::unique_ptr<Backbone> make_backbone(const std::string& name, BatchNormMode mode, const NetworkContext& context,
                                        BackboneTap tap = BackboneTap::final);

// One declaration for each file of backbones/.
namespace backbones {
#define BACKBONE(name) const BackboneKind& name();
#include "backbones.inc"
#undef BACKBONE
}  // namespace backbones

}  // namespace duet
