#include "trainer/kernels/mixture_draw.h"

#include <algorithm>
#include <cmath>

namespace duet {
namespace {

/// The first index whose cumulated softmax(logits / temperature) exceeds `uniform`; the last, where rounding lets none.
template <typename Scalar>
std::int64_t draw_category(const Scalar* logits, std::int64_t count, double temperature, double uniform) {
  const double largest = *std::max_element(logits, logits + count);
  const auto weight = [&](std::int64_t i) { return std::exp((static_cast<double>(logits[i]) - largest) / temperature); };
  double total = 0;
  for (std::int64_t i = 0; i < count; ++i) total += weight(i);
  double cumulated = 0;
  for (std::int64_t i = 0; i < count - 1; ++i) {
    cumulated += weight(i);
    if (cumulated > uniform * total) return i;
  }
  return count - 1;
}

template <typename Scalar>
PlainStep draw_step_any(const Scalar* raw, std::int64_t mixtures, double temperature, bool ignore_end, const double* noise) {
  const Scalar *pen = raw, *weight = raw + 3;
  const std::int64_t pens = ignore_end ? 2 : 3;
  const auto value = [&](int block, std::int64_t component) { return static_cast<double>(raw[3 + block * mixtures + component]); };
  if (temperature == 0) {
    const auto component = std::max_element(weight, weight + mixtures) - weight;
    return {value(1, component), value(2, component), static_cast<int>(std::max_element(pen, pen + pens) - pen)};
  }
  const auto component = draw_category(weight, mixtures, temperature, noise[0]);
  const double spread = std::sqrt(temperature), correlation = std::tanh(value(5, component));
  return {value(1, component) + std::exp(value(3, component)) * spread * noise[1],
          value(2, component) +
              std::exp(value(4, component)) * spread * (correlation * noise[1] + std::sqrt(1 - correlation * correlation) * noise[2]),
          static_cast<int>(draw_category(pen, pens, temperature, noise[3]))};
}

}  // namespace

PlainStep draw_step(const float* raw, std::int64_t mixtures, double temperature, bool ignore_end, const double* noise) {
  return draw_step_any(raw, mixtures, temperature, ignore_end, noise);
}

PlainStep draw_step(const double* raw, std::int64_t mixtures, double temperature, bool ignore_end, const double* noise) {
  return draw_step_any(raw, mixtures, temperature, ignore_end, noise);
}

}  // namespace duet
