#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/choice.h"
#include "datasets/sketch/sketch.h"

namespace duet {

/// State of the pen after a step: still on the paper, lifted for the next stroke, or the drawing is finished.
enum class Pen : std::uint8_t { touching = 0, lifted = 1, end = 2 };

/// One step of a drawing, as the generator learns and draws it.
struct Offset {
  float dx = 0;
  float dy = 0;
  Pen pen = Pen::touching;
  bool operator==(const Offset&) const = default;
};

/// docs/method.md §3.6, steps 4 and 6: Δ_t = P_{t+1} − P_t over the whole list (jumps between strokes included), in pixels, with the pen of
/// point t+1; the last one has Pen::end. N points give N − 1 offsets, one point gives none; the place of the first point is lost.
std::vector<Offset> to_offsets(std::span<const SketchPoint> sketch);

/// Where a drawing made of offsets is put on the canvas.
DUET_CHOICE(
    Placement,
    centred,     ///< as human sketches are: one factor, longer side 190 px, bounding box centred at (128, 128)
    stretched);  ///< each axis by itself to [30, 225]: the published code's way, which loses the aspect ratio; drawn with Rounding::truncate

/// docs/method.md §3.9. N offsets give N + 1 points: the origin, then one after each offset (also after the one with Pen::end; what follows
/// that one is ignored). All in float64, one rounding an operation,
/// in this order (a kernel elsewhere must do the same to draw the same pixels):
///   x_0 = 0,  x_{t+1} = x_t + double(dx_t) · scale;   low, high = smallest and largest x;
///   centred:    factor = 190 / max(high_x − low_x, high_y − low_y), or 1 where that is zero;  x' = (x − (low + high) / 2) · factor + 128
///   stretched:  x' = (x − low) / (high − low) · 195 + 30, or 127.5 where the axis has no extent
/// pen is 1 after lifted and end, and on the last point. Not rounded: rasterize() does that.
/// `scale` is the generator's offset scale (1 for pixels).
Sketch from_offsets(std::span<const Offset> offsets, double scale, Placement placement);

}  // namespace duet
