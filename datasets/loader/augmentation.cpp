#include "datasets/loader/augmentation.h"

namespace duet {

Affine random_affine(const Augmentation& augmentation, ScaleFormula formula, KeyedRandom random) {
  const double rotate_degrees = augmentation.rotate_degrees, spread = augmentation.scale, reach = augmentation.shift * kCanvasSide;
  if (rotate_degrees == 0 && spread == 0 && reach == 0) return {};
  const double degrees = random.uniform(-rotate_degrees, rotate_degrees);
  const double scale = formula == ScaleFormula::interval ? random.uniform(1 - spread, 1 + spread) : 1 + random.uniform(-spread, spread);
  const double x = random.uniform(-reach, reach);
  const double y = random.uniform(-reach, reach);
  return Affine::about_centre(degrees, scale, x, y);
}

}  // namespace duet
