#pragma once
#include <cstdint>

namespace duet {

/// A step of a drawing in plain numbers.
struct PlainStep {
  double dx, dy;
  int pen;  ///< 0 touching, 1 lifted, 2 end
};

/// The rules of drawing (docs/method.md §3.8) for one row of the output layer, `raw` [6·mixtures + 3] as in MixtureOutput; arithmetic in
/// double. temperature 0: greedy, noise is not read. Else noise holds four numbers: uniform, normal, normal, uniform. ignore_end: 'end'
/// cannot come.
PlainStep draw_step(const float* raw, std::int64_t mixtures, double temperature, bool ignore_end, const double* noise);
PlainStep draw_step(const double* raw, std::int64_t mixtures, double temperature, bool ignore_end, const double* noise);

}  // namespace duet
