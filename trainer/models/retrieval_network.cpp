#include "trainer/models/retrieval_network.h"

#include "base/error.h"

namespace duet {

RetrievalNetwork::RetrievalNetwork(const RetrievalConfig& config, const NetworkContext& context)
    : backbone_(make_backbone(config.backbone, config.batch_norm, context.within("backbone"))),
      average_pooling_(config.pooling == Pooling::average),
      dimension_(config.head > 0 ? config.head : backbone_->channels()) {
  add_child("backbone", *backbone_);
  auto channels = backbone_->channels();
  // No bias: the softmax over positions would cancel it. Small weights: training starts from nearly even attention.
  if (config.attention) {
    attention_ = add_parameter("attention.weight", normal_values(context, "attention.weight", {1, channels, 1, 1}, 0.01));
  }
  if (config.head > 0) {
    head_ = std::make_unique<Linear>(context.within("head"), channels, config.head);
    add_child("head", *head_);
  }
}

Tensor RetrievalNetwork::attention_of(const Tensor& map) const {
  if (!attention_.defined()) return at::full({map.size(0), map.size(2), map.size(3)}, 1.0 / (map.size(2) * map.size(3)), map.options());
  return at::conv2d(map, attention_).flatten(1).softmax(1).view({map.size(0), map.size(2), map.size(3)});
}

Tensor RetrievalNetwork::attention(const Tensor& images) { return attention_of(backbone_->features(images)); }

Tensor RetrievalNetwork::embed(const Tensor& images) {
  auto map = backbone_->features(images);
  if (attention_.defined()) map = map + map * attention_of(map).unsqueeze(1);
  auto pooled = average_pooling_ ? map.mean({2, 3}) : map.amax({2, 3});
  auto embedding = unit_rows(pooled);
  return head_ ? unit_rows(head_->forward(embedding)) : embedding;
}

}  // namespace duet
