#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace duet {

/// The canvas on which sketches are kept: x to the right, y downwards, 0 … 256.
inline constexpr int kCanvasSide = 256;

/// A point of a drawing. pen is 1 on the last point of each stroke, else 0 (a double, as the field's files keep it).
struct SketchPoint {
  double x = 0;
  double y = 0;
  double pen = 0;
  bool operator==(const SketchPoint&) const = default;
};
static_assert(sizeof(SketchPoint) == 3 * sizeof(double), "stored as rows of three doubles");

using Sketch = std::vector<SketchPoint>;

/// Bounds for what comes from files: they keep every later computation's time and integers bounded.
/// (Real sketches have some hundred points.)
inline constexpr std::size_t kMaxSketchPoints = 100'000;
inline constexpr double kMaxCoordinate = 1e6;

/// Throws DataError beginning with `subject` when the sketch is empty or has more than kMaxSketchPoints, a coordinate is not finite or
/// beyond ±1e6, or a pen is neither 0 nor 1. Everything that draws or converts sketches expects one that passed. (Points outside the canvas
/// are allowed: they are not drawn.)
void check_sketch(std::span<const SketchPoint> sketch, const std::string& subject);

}  // namespace duet
