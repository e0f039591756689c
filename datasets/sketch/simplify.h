#pragma once
#include <span>

#include "base/choice.h"
#include "datasets/sketch/sketch.h"

namespace duet {

/// What a point's distance is measured to.
DUET_CHOICE(
    Chord,
    segment,  ///< between the two points kept around it, as Shapely and OpenCV do: no ink is lost that is farther away
    line);  ///< through them, on to both sides, as PyPI's rdp does and the data of the method's authors was made: where a stroke turns back
            ///< beyond its end, that part may go

/// docs/method.md §3.6, steps 1 and 2: rounds the points to integers (half to even), then thins each stroke by Ramer-Douglas-Peucker: a
/// point stays when it lies farther than epsilon (pixels) from the chord of the points kept around it. First and last point of a stroke
/// stay, pen is 1 on the last. epsilon 0 keeps every point that is off its chord.
Sketch simplify(std::span<const SketchPoint> sketch, double epsilon, Chord chord = Chord::segment);

}  // namespace duet
