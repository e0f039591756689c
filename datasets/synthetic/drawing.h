#pragma once
#include "base/random.h"
#include "datasets/sketch/sketch.h"
#include "datasets/synthetic/things.h"

namespace duet {

/// Draws the visible outlines of the thing, as its photo shows them, the way people draw: joined to strokes, doubled lines once only, some
/// short ones left out, part after part, with a shaking hand. About ten strokes of about ten points; longer side 190,
/// centred at (128, 128).
Sketch draw_sketch(const Thing& thing, KeyedRandom& random);

}  // namespace duet
