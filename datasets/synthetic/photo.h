#pragma once
#include "base/random.h"
#include "datasets/image/image.h"
#include "datasets/synthetic/things.h"

namespace duet {

/// A photo of the thing, side × side: one lamp, textures, a soft shadow on a light ground, a camera's noise. Edges are averaged over 2 × 2
/// samples. Framing, lamp and background are drawn from `random`.
Image take_photo(const Thing& thing, KeyedRandom& random, int side);

}  // namespace duet
