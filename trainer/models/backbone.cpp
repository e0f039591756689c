#include "trainer/models/backbone.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace duet {

Tensor unit_images(const Tensor& images, at::ScalarType dtype) {
  if (images.is_floating_point()) {
    DUET_CHECK(images.dim() == 4, "floating images have {} dimensions", images.dim());
    return images.to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  }
  DUET_CHECK(images.scalar_type() == at::kByte && (images.dim() == 3 || (images.dim() == 4 && images.size(3) == 3)),
             "images are neither photos [n, s, s, 3] nor rasters [n, s, s] of bytes");
  // A photo's bytes already lie channels-last: the permutation is a view.
  auto channels_first = images.dim() == 4 ? images.permute({0, 3, 1, 2}) : images.unsqueeze(1);
  return channels_first.to(dtype).div_(255).contiguous(at::MemoryFormat::ChannelsLast);
}

Backbone::Backbone(const NetworkContext& context, std::string name, std::int64_t channels, std::int64_t stride, std::int64_t smallest_side)
    : name_(std::move(name)), channels_(channels), stride_(stride), smallest_side_(smallest_side) {
  input_mean_ = add_buffer("input_mean", at::empty({3}, context.options()));
  input_deviation_ = add_buffer("input_deviation", at::empty({3}, context.options()));
  set_normalisation({});
}

Tensor Backbone::normalise(const Tensor& images) const {
  auto unit = unit_images(images, input_mean_.scalar_type());
  DUET_CHECK(unit.size(2) >= smallest_side_ && unit.size(3) >= smallest_side_, "{} needs images of at least {} pixels a side, not {}x{}",
             name_, smallest_side_, unit.size(3), unit.size(2));
  // One channel broadcasts against three here.
  auto normalised = (unit - input_mean_.view({1, 3, 1, 1})) / input_deviation_.view({1, 3, 1, 1});
  return normalised.contiguous(at::MemoryFormat::ChannelsLast);
}

void Backbone::set_normalisation(const Normalisation& normalisation) {
  for (int channel = 0; channel < 3; ++channel) {
    input_mean_[channel].fill_(normalisation.mean[channel]);
    input_deviation_[channel].fill_(normalisation.deviation[channel]);
  }
}

Normalisation Backbone::normalisation() const {
  Normalisation normalisation;
  for (int channel = 0; channel < 3; ++channel) {
    normalisation.mean[channel] = input_mean_[channel].item<double>();
    normalisation.deviation[channel] = input_deviation_[channel].item<double>();
  }
  return normalisation;
}

const std::vector<std::pair<std::string, BackboneKind>>& backbone_kinds() {
  static const std::vector<std::pair<std::string, BackboneKind>> kinds{
#define BACKBONE(name) {#name, backbones::name()},
#include "backbones.inc"
#undef BACKBONE
  };
  return kinds;
}

const BackboneKind& backbone_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, kind] : backbone_kinds()) {
    if (known == name) return kind;
    names.push_back(known);
  }
  throw UsageError("backbone '{}' is none of {}", name, fmt::join(names, ", "));
}

std::unique_ptr<Backbone> make_backbone(const std::string& name, BatchNormMode mode, const NetworkContext& context, BackboneTap tap) {
  return backbone_kind(name).make(mode, context, tap);
}

}  // namespace duet
