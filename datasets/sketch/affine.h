#pragma once
#include <span>

#include "datasets/sketch/sketch.h"

namespace duet {

/// x' = xx·x + xy·y + x0,  y' = yx·x + yy·y + y0, on the 256 canvas. The default is the identity.
struct Affine {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;

  /// Rotates (positive from x towards y: clockwise on the canvas), scales and then shifts, about the canvas's centre (128, 128).
  /// Shifts in pixels.
  static Affine about_centre(double degrees, double scale, double shift_x, double shift_y);

  /// x' = 256 − x: keeps the centre and the drawable range 1 … 255, and commutes with rounding half to even.
  static Affine mirror();

  /// First `before`, then this one.
  Affine after(const Affine& before) const;

  /// Throws NumericalError when it has none.
  Affine inverse() const;
};

/// The points moved, pens kept.
Sketch transform(std::span<const SketchPoint> sketch, const Affine& affine);

}  // namespace duet
