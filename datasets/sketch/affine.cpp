#include "datasets/sketch/affine.h"

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace duet {

Affine Affine::about_centre(double degrees, double scale, double shift_x, double shift_y) {
  constexpr double kCentre = kCanvasSide / 2.0;
  const double angle = degrees * std::numbers::pi / 180;
  const double cosine = std::cos(angle) * scale, sine = std::sin(angle) * scale;
  return {.xx = cosine,
          .xy = -sine,
          .x0 = kCentre - cosine * kCentre + sine * kCentre + shift_x,
          .yx = sine,
          .yy = cosine,
          .y0 = kCentre - sine * kCentre - cosine * kCentre + shift_y};
}

Affine Affine::mirror() { return {.xx = -1, .x0 = kCanvasSide}; }

Affine Affine::after(const Affine& before) const {
  return {.xx = xx * before.xx + xy * before.yx,
          .xy = xx * before.xy + xy * before.yy,
          .x0 = xx * before.x0 + xy * before.y0 + x0,
          .yx = yx * before.xx + yy * before.yx,
          .yy = yx * before.xy + yy * before.yy,
          .y0 = yx * before.x0 + yy * before.y0 + y0};
}

Affine Affine::inverse() const {
  const double determinant = xx * yy - xy * yx;
  if (!(std::abs(determinant) > 1e-12)) throw NumericalError("An affine map with determinant {} has no inverse.", determinant);
  Affine back{.xx = yy / determinant, .xy = -xy / determinant, .x0 = 0, .yx = -yx / determinant, .yy = xx / determinant, .y0 = 0};
  back.x0 = -(back.xx * x0 + back.xy * y0);
  back.y0 = -(back.yx * x0 + back.yy * y0);
  return back;
}

Sketch transform(std::span<const SketchPoint> sketch, const Affine& affine) {
  Sketch moved(sketch.begin(), sketch.end());
  for (auto& point : moved) {
    const double x = point.x, y = point.y;
    point.x = affine.xx * x + affine.xy * y + affine.x0;
    point.y = affine.yx * x + affine.yy * y + affine.y0;
  }
  return moved;
}

}  // namespace duet
