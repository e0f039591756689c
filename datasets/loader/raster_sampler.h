#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/sketch/sketch.h"

namespace duet {

/// Draws sketches at 256 (datasets/sketch/rasterize.h) and averages over areas to another side: pixel (i, j) is the mean, rounded to the
/// nearest, of the drawing over its square of 256/side; at 256 the drawing itself. Keeps its buffers. One object a thread.
class RasterSampler {
 public:
  /// Fills `out` ([side, side]) with the sketch, white on black or dark on white. The sketch must have passed check_sketch().
  void draw(std::span<const SketchPoint> sketch, int side, bool dark_on_white, std::span<std::uint8_t> out);

 private:
  /// What an output line takes of the canvas: weights of the lines first, first + 1, …, which sum to 1.
  struct Taps {
    int first;
    std::vector<float> weights;
  };

  void prepare(int side);

  int side_ = 0;
  std::vector<Taps> taps_;
  std::vector<std::uint8_t> drawing_;
  std::vector<float> lines_;
};

}  // namespace duet
