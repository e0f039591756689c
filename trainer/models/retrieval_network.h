#pragma once
#include "trainer/config.h"
#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"
#include "trainer/models/module.h"

namespace duet {

/// F of docs/method.md §2: one network for photos and rasters of sketches. Backbone → soft spatial attention → pooling → L2 → (linear head
/// → L2). Uses backbone, attention, pooling, head and batch_norm of the configuration;
/// weights are the caller's (load_backbone_weights of backbone()).
class RetrievalNetwork : public Module {
 public:
  RetrievalNetwork(const RetrievalConfig& config, const NetworkContext& context);

  /// images: uint8 photos [n, s, s, 3], uint8 rasters [n, s, s], or floating [n, 3 or 1, s, s] in 0…1. Returns [n, dimension()], rows of
  /// length 1.
  Tensor embed(const Tensor& images);

  /// Softmax over all positions, [n, h', w']: where the network looks. Ones over (h'·w') without attention.
  Tensor attention(const Tensor& images);

  std::int64_t dimension() const { return dimension_; }
  Backbone& backbone() { return *backbone_; }
  const Backbone& backbone() const { return *backbone_; }

 private:
  Tensor attention_of(const Tensor& map) const;

  std::unique_ptr<Backbone> backbone_;
  bool average_pooling_;
  std::int64_t dimension_;
  Tensor attention_;              ///< [1, channels, 1, 1]; undefined without attention
  std::unique_ptr<Linear> head_;  ///< null without head
};

}  // namespace duet
