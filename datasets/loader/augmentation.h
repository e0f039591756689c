#pragma once
#include "base/random.h"
#include "datasets/sketch/affine.h"

namespace duet {

/// How far training images are moved. All zero: not at all.
struct Augmentation {
  bool flip = false;          ///< mirror photo and sketch together, with probability ½
  double rotate_degrees = 0;  ///< angle uniform in ± this
  double scale = 0;           ///< factor uniform in 1 ± this
  double shift = 0;           ///< along each axis, uniform in ± this share of the side
};

/// How the factor is computed. They differ in the last bit, and runs go on bit for bit with the one they were begun with.
enum class ScaleFormula {
  interval,   ///< uniform(1 − s, 1 + s): what is read from stores
  deviation,  ///< 1 + uniform(−s, s): what the generator drew
};

/// A random rotation, scaling and shift about the canvas's centre; the flip is not in it. Takes four numbers of `random`.
Affine random_affine(const Augmentation& augmentation, ScaleFormula formula, KeyedRandom random);

}  // namespace duet
