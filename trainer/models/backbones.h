#pragma once
#include "trainer/models/backbone.h"

namespace duet {

// The four networks behind make_backbone(), each in a file of its own. vgg16 has no batch normalisation; vgg16 and tiny end at one place
// for both taps.
std::unique_ptr<Backbone> make_inception_v3(BatchNormMode mode, const NetworkContext& context, BackboneTap tap);
std::unique_ptr<Backbone> make_vgg16(const NetworkContext& context);
std::unique_ptr<Backbone> make_mobilenet_v2(BatchNormMode mode, const NetworkContext& context, BackboneTap tap);
std::unique_ptr<Backbone> make_tiny(BatchNormMode mode, const NetworkContext& context);

}  // namespace duet
