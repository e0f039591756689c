#pragma once
#include <span>

#include "datasets/sketch/sketch.h"

namespace duet {

/// method.md §3.6, steps 1 and 2: rounds the points to integers (half to even), then thins each stroke by Ramer-Douglas-Peucker: a point
/// stays when it lies farther than epsilon (pixels) from the chord of the points kept around it. First and last point of a stroke stay, pen
/// is 1 on the last. epsilon 0 keeps every point that is off its chord.
Sketch simplify(std::span<const SketchPoint> sketch, double epsilon);

}  // namespace duet
