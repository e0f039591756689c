#include "trainer/models/mixture.h"

#include <cmath>
#include <numbers>

namespace duet {

MixtureOutput split_mixture(const Tensor& raw) {
  const auto mixtures = (raw.size(-1) - 3) / 6;
  const auto block = [&](std::int64_t i) { return raw.narrow(-1, 3 + i * mixtures, mixtures); };
  return {raw.narrow(-1, 0, 3), block(0), block(1), block(2), block(3), block(4), block(5)};
}

// With r the raw correlation, ρ = tanh r:  log(1 − ρ²) = −2 log cosh r,  and the exponent's quadratic form is ((u − ρv) cosh r)² + v².
// Written so, nothing is divided by 1 − ρ², which rounds to zero long before the form itself does.
Tensor offset_log_density(const MixtureOutput& output, const Tensor& offset) {
  const auto u = (offset.select(-1, 0).unsqueeze(-1) - output.mean_x) * (-output.log_sigma_x).exp();
  const auto v = (offset.select(-1, 1).unsqueeze(-1) - output.mean_y) * (-output.log_sigma_y).exp();
  const auto size = output.correlation.abs();
  const auto log_cosh = size + (-2 * size).exp().log1p() - std::numbers::ln2;
  const auto form = ((u - output.correlation.tanh() * v) * log_cosh.exp()).square() + v.square();
  const auto log_normal = log_cosh - output.log_sigma_x - output.log_sigma_y - 0.5 * form - std::log(2 * std::numbers::pi);
  return at::logsumexp(at::log_softmax(output.weight, -1) + log_normal, -1);
}

Tensor pen_log_probability(const MixtureOutput& output, const Tensor& pen) {
  return at::log_softmax(output.pen, -1).gather(-1, pen.unsqueeze(-1)).squeeze(-1);
}

DrawnStep greedy_step(const MixtureOutput& output) {
  const auto component = output.weight.argmax(-1, true);
  return {at::cat({output.mean_x.gather(-1, component), output.mean_y.gather(-1, component)}, -1), output.pen.argmax(-1)};
}

namespace {

/// The first category whose cumulated probability exceeds `uniform` [..., 1]. Returns [..., 1].
Tensor draw_category(const Tensor& logits, const Tensor& uniform) {
  return at::softmax(logits, -1).cumsum(-1).le(uniform).sum(-1, true).clamp_max(logits.size(-1) - 1);
}

}  // namespace

DrawnStep sampled_step(const MixtureOutput& output, double temperature, const Tensor& noise) {
  const auto draw = noise.to(output.pen.options());
  const auto component = draw_category(output.weight / temperature, draw.narrow(-1, 0, 1));
  const auto of_component = [&](const Tensor& values) { return values.gather(-1, component); };
  const auto first = draw.narrow(-1, 1, 1), second = draw.narrow(-1, 2, 1);
  const auto correlation = of_component(output.correlation).tanh();
  const auto spread = std::sqrt(temperature);
  const auto x = of_component(output.mean_x) + of_component(output.log_sigma_x).exp() * spread * first;
  const auto y = of_component(output.mean_y) +
                 of_component(output.log_sigma_y).exp() * spread * (correlation * first + (1 - correlation.square()).sqrt() * second);
  return {at::cat({x, y}, -1), draw_category(output.pen / temperature, draw.narrow(-1, 3, 1)).squeeze(-1)};
}

}  // namespace duet
