#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "datasets/sketch/sketch.h"

namespace duet {

struct SvgOptions {
  double stroke_width = 3;              ///< in units of the 256 canvas; the raster's lines are 3 wide
  std::string stroke_colour = "black";  ///< any SVG colour without quotes; from the program, not from files
  bool white_background = true;
};

/// A whole SVG document with viewBox 0 0 256 256: one path a stroke, round caps and joins, so that a stroke of one point is a dot.
/// Numbers have at most two decimals and never depend on the locale.
std::string to_svg(std::span<const SketchPoint> sketch, const SvgOptions& options = {});

/// What such a document begins with, up to its first stroke.
std::string svg_head(const SvgOptions& options);

/// The sketch as retrieval sees it: 256×256, one channel, white on black, as PNG.
std::vector<std::byte> to_png(std::span<const SketchPoint> sketch);

}  // namespace duet
