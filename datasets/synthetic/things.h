#pragma once
#include <initializer_list>

#include "base/random.h"
#include "datasets/synthetic/solid.h"
#include "datasets/synthetic/view.h"

namespace duet {

/// A thing with the viewpoint its photo is taken from. Its parameters are drawn from `random`, a fixed number of draws in a fixed order
/// wherever that keeps one choice from changing all later ones.
struct Thing {
  Solid solid;
  Viewpoint viewpoint;
};

/// Seat, legs (straight, splayed, sled, pedestal, block), stretchers, back (panel, slats, rails, cross, frame, upholstered, spindles, none)
/// and arm rests.
Thing make_chair(KeyedRandom& random);

/// Sneaker, boot, pump, loafer or sandal: sole, heel, toe, shaft, laces, straps, caps and stripes. Seen from the side, toe to the left.
Thing make_shoe(KeyedRandom& random);

/// A colour of the kind such things have: wood tones, leather tones, greys, or a plain colour.
Vec3 wood_colour(KeyedRandom& random);
Vec3 cloth_colour(KeyedRandom& random);

/// One of 0 … weights − 1, as often as its weight says.
int choose(KeyedRandom& random, std::initializer_list<double> weights);

}  // namespace duet
