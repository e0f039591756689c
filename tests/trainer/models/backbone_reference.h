#pragma once
#include <ostream>

#include "trainer/models/backbone.h"

namespace duet {

/// What torchvision computes in float64; printed by backbone_reference.py.
struct BackboneReference {
  std::string name;
  BackboneTap tap;
  bool training;
  std::int64_t side;                ///< of two images
  std::vector<std::int64_t> shape;  ///< of the map
  double mean, deviation;           ///< of the map's values
  std::array<double, 4> picked;     ///< values at 0, 1/3, 2/3 and the end of the map
  double gradient_norm;             ///< of the first weight, for the loss Σ map · slope
};

inline void PrintTo(const BackboneReference& reference, std::ostream* out) { *out << reference.name; }

inline const std::vector<BackboneReference>& backbone_references() {
  // clang-format off
  static const std::vector<BackboneReference> references{
    {"vgg16", BackboneTap::final, true, 64, {2, 512, 2, 2}, 0.9587697834145, 0.9543172156384, {1.657127866508, 0.435889378802, 2.399712023995, 0.2180828560259}, 96.57081950058},
    {"mobilenet_v2", BackboneTap::final, false, 96, {2, 1280, 3, 3}, 1.465296200246, 2.001039965708, {0, 5.833306426038, 0, 0}, 12012.8717107},
    {"mobilenet_v2", BackboneTap::generator, false, 96, {2, 96, 6, 6}, -0.6745283144785, 4.770804646821, {-3.493380125094, -1.534119452641, 6.220704461128, 0.5231035179936}, 5048.017887407},
    {"inception_v3", BackboneTap::final, false, 107, {2, 2048, 2, 2}, 0.2490624332643, 0.3839685554245, {0, 0.3481394811449, 0.5913503116419, 0.5874396773728}, 31.01095423989},
    {"inception_v3", BackboneTap::generator, false, 107, {2, 768, 5, 5}, 0.2678225774367, 0.4274665407376, {1.153037247178, 0, 1.205670930163, 0}, 74.20511901551},
    {"mobilenet_v2", BackboneTap::final, true, 96, {2, 1280, 3, 3}, 0.404588525647, 0.5881766864861, {0.2727010582769, 0.3801217601926, 0, 0.3001546483142}, 24768.94693173},
    {"mobilenet_v2", BackboneTap::generator, true, 96, {2, 96, 6, 6}, -0.0008791985940384, 1.791018508741, {-0.4969903579054, 2.867353517642, 2.636296327806, -0.3612002973655}, 8752.422336459},
    {"inception_v3", BackboneTap::final, true, 107, {2, 2048, 2, 2}, 0.4159740213949, 0.5717899432563, {1.633242819174, 0, 0.2386072835747, 0.9431346923791}, 85858.66698543},
    {"inception_v3", BackboneTap::generator, true, 107, {2, 768, 5, 5}, 0.4000473280185, 0.5877332685656, {2.455943741132, 0, 0, 0.7729642719895}, 26405.03356111},
  };
  // clang-format on
  return references;
}

}  // namespace duet
