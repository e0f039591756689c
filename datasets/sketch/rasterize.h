#pragma once
#include <cstdint>
#include <span>

#include "datasets/sketch/sketch.h"

namespace duet {

/// How coordinates become pixels.
enum class Rounding {
  half_to_even,  ///< human sketches, and generated ones placed `centred`
  truncate,      ///< generated ones placed `stretched`
};

inline constexpr int kMaxRasterSide = 4096;

struct RasterOptions {
  int side = kCanvasSide;      ///< of the canvas in pixels; coordinates are not scaled to it
  bool dark_on_white = false;  ///< else white (255) strokes on black (0)
  Rounding rounding = Rounding::half_to_even;
};

/// docs/method.md §3.9, bit for bit: consecutive points of a stroke joined by Bresenham lines, both ends included; pixel (x, y) set if 0 <
/// x < side and 0 < y < side (so row 0 and column 0 are reached by the dilation only); then one dilation by the 3×3 cross. The line from
/// the previous point to the current one: the longer axis leads (y when equal), D = 2·minor − major; at each of major + 1 steps plot, then
/// if D ≥ 0 advance the minor axis and D −= 2·major; then D += 2·minor. `out` holds side × side bytes, rows from the top, all written. The
/// sketch must have passed check_sketch(); points far outside cost no more than others. Any thread. `side` is 1 … kMaxRasterSide;
/// InternalError when `out` has another size.
void rasterize(std::span<const SketchPoint> sketch, const RasterOptions& options, std::span<std::uint8_t> out);

}  // namespace duet
