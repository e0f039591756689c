#include "datasets/sketch/sketch.h"

#include <cmath>

#include "base/error.h"

namespace duet {

void check_sketch(std::span<const SketchPoint> sketch, const std::string& subject) {
  if (sketch.empty()) throw DataError("{}: the sketch has no points.", subject);
  if (sketch.size() > kMaxSketchPoints) {
    throw DataError("{}: the sketch has {} points; at most {} are read.", subject, sketch.size(), kMaxSketchPoints);
  }
  for (std::size_t i = 0; i < sketch.size(); ++i) {
    const auto& point = sketch[i];
    if (!(std::abs(point.x) <= kMaxCoordinate && std::abs(point.y) <= kMaxCoordinate)) {  // so that NaN fails
      throw DataError("{}: point {} of the sketch is ({}, {}); coordinates must lie within ±{:.0f}.", subject, i, point.x, point.y,
                      kMaxCoordinate);
    }
    if (point.pen != 0 && point.pen != 1) throw DataError("{}: point {} of the sketch has pen {}, not 0 or 1.", subject, i, point.pen);
  }
}

}  // namespace duet
