#pragma once
#include "trainer/config.h"
#include "trainer/models/layers.h"
#include "trainer/models/module.h"

namespace duet {

/// D of docs/method.md §4, pix2pix's patch discriminator on (photo, raster of a sketch): is this a pair of a photo and a human's sketch of
/// it?
///
/// Both inputs are scaled to [-1, 1] (pix2pix's range; the polarity of the rasters is kept) and stacked to six channels, the raster three
/// times. When image_side of the configuration is set and differs from the images' side, they are averaged over areas down (or up) to it.
class Discriminator : public Module {
 public:
  /// Throws UsageError when images of `image_side` leave no patch after config.layers halvings.
  Discriminator(const DiscriminatorConfig& config, int image_side, const NetworkContext& context);

  /// photos: uint8 [n, s, s, 3]; rasters: uint8 [n, s, s]; or both floating in 0…1 as unit_images() takes them.
  /// Returns logits of 'human pair', one a patch: [n, h', w']. With gradient, in the network's present mode.
  Tensor logits(const Tensor& photos, const Tensor& rasters);

  /// Certainty in [0, 1], [n]: mean over patches of the sigmoid, or sigmoid of the mean logit (config.score).
  /// Without gradient and in evaluation mode, so that a pair's score does not depend on its batch.
  Tensor score(const Tensor& photos, const Tensor& rasters);

 private:
  struct Layer {
    std::unique_ptr<Convolution> convolution;
    std::unique_ptr<BatchNorm> norm;  ///< null: none, or instance normalisation
    bool instance_norm = false;
    bool last = false;
  };
  std::int64_t side_;
  bool mean_of_sigmoids_;
  std::vector<Layer> layers_;
};

}  // namespace duet
