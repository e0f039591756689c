#include "trainer/models/mixture.h"

#include <gtest/gtest.h>

#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

constexpr int kMixtures = 3;

/// docs/method.md §3.4 in linear space, as it stands there; raw is one row of the output layer.
double density(const std::vector<double>& raw, double dx, double dy) {
  double total = 0, sum = 0;
  for (int j = 0; j < kMixtures; ++j) total += std::exp(raw[3 + j]);
  for (int j = 0; j < kMixtures; ++j) {
    const auto of = [&](int block) { return raw[3 + block * kMixtures + j]; };
    const double sx = std::exp(of(3)), sy = std::exp(of(4)), rho = std::tanh(of(5));
    const double u = (dx - of(1)) / sx, v = (dy - of(2)) / sy;
    sum += std::exp(of(0)) / total * std::exp(-(u * u + v * v - 2 * rho * u * v) / (2 * (1 - rho * rho))) /
           (2 * M_PI * sx * sy * std::sqrt(1 - rho * rho));
  }
  return sum;
}

TEST(Mixture, IsTheDensityOfTheFormula) {
  const auto raw = normal_tensor({4, 2, 6 * kMixtures + 3}, 1), offset = normal_tensor({4, 2, 2}, 2);
  const auto rows = loops_of(raw.flatten(0, 1)), offsets = loops_of(offset.flatten(0, 1));
  const auto log_density = offset_log_density(split_mixture(raw), offset);
  ASSERT_EQ(log_density.sizes(), at::IntArrayRef({4, 2}));
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_NEAR(log_density.flatten()[static_cast<std::int64_t>(i)].item<double>(),
                std::log(density(rows[i], offsets[i][0], offsets[i][1])), 1e-12);
}

TEST(Mixture, IntegratesToOne) {
  const auto raw = normal_tensor({6 * kMixtures + 3}, 3, 0.5);
  const double step = 0.1;
  const auto axis = at::arange(-40, 40, step, at::kDouble);
  const auto grid = at::stack({axis.unsqueeze(1).expand({-1, axis.size(0)}), axis.unsqueeze(0).expand({axis.size(0), -1})}, -1);
  EXPECT_NEAR(offset_log_density(split_mixture(raw), grid).exp().sum().item<double>() * step * step, 1, 1e-6);
}

TEST(Mixture, StaysFiniteWhereLinearSpaceDoesNot) {
  auto raw = at::zeros({1, 6 * kMixtures + 3}, at::kFloat);
  raw.narrow(1, 3 + 5 * kMixtures, kMixtures).fill_(15);  // ρ rounds to 1 in float32
  raw.set_requires_grad(true);
  for (const auto& offset : {at::tensor({1e4f, -1e4f}), at::tensor({0.5f, 0.5f})}) {
    const auto value = offset_log_density(split_mixture(raw), offset.unsqueeze(0));
    EXPECT_TRUE(value.isfinite().all().item<bool>()) << value;
    value.sum().backward();
    EXPECT_TRUE(raw.grad().isfinite().all().item<bool>()) << raw.grad();
  }
}

TEST(Mixture, HasTheGradientOfItsValue) {
  const auto offset = normal_tensor({2, 2}, 5);
  expect_gradient([&](const Tensor& raw) { return offset_log_density(split_mixture(raw), offset).sum(); },
                  normal_tensor({2, 6 * kMixtures + 3}, 4, 0.7));
}

TEST(Mixture, PenIsASoftmax) {
  const auto raw = normal_tensor({5, 6 * kMixtures + 3}, 6);
  const auto pen = at::tensor({0, 1, 2, 1, 0}, at::kLong);
  const auto rows = loops_of(raw);
  const auto log_probability = pen_log_probability(split_mixture(raw), pen);
  for (int i = 0; i < 5; ++i) {
    const double total = std::exp(rows[i][0]) + std::exp(rows[i][1]) + std::exp(rows[i][2]);
    EXPECT_NEAR(log_probability[i].item<double>(), std::log(std::exp(rows[i][pen[i].item<std::int64_t>()]) / total), 1e-12);
  }
}

TEST(Mixture, GreedyIsTheLargestComponentsMean) {
  const auto raw = normal_tensor({50, 6 * kMixtures + 3}, 7);
  const auto step = greedy_step(split_mixture(raw));
  const auto rows = loops_of(raw);
  for (int i = 0; i < 50; ++i) {
    const auto weights = rows[i].begin() + 3;
    const auto j = std::max_element(weights, weights + kMixtures) - weights;
    EXPECT_EQ(step.offset[i][0].item<double>(), rows[i][3 + kMixtures + j]);
    EXPECT_EQ(step.offset[i][1].item<double>(), rows[i][3 + 2 * kMixtures + j]);
    EXPECT_EQ(step.pen[i].item<std::int64_t>(), std::max_element(rows[i].begin(), rows[i].begin() + 3) - rows[i].begin());
  }
}

TEST(Mixture, SamplesFollowTheDensity) {
  constexpr int kDraws = 200000;
  const auto raw = normal_tensor({6 * kMixtures + 3}, 8, 0.5);
  const auto normals = normal_tensor({kDraws, 2}, 9);
  // Uniforms from normals: their distribution function.
  const auto uniforms = 0.5 * at::erfc(-normal_tensor({kDraws, 2}, 10) / std::sqrt(2.0));
  const auto noise = at::cat({uniforms.narrow(1, 0, 1), normals, uniforms.narrow(1, 1, 1)}, 1);
  const auto step = sampled_step(split_mixture(raw.expand({kDraws, -1})), 1, noise);
  const auto pens = at::softmax(raw.narrow(0, 0, 3), 0);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(step.pen.eq(k).to(at::kDouble).mean().item<double>(), pens[k].item<double>(), 0.005) << k;
  // Share of draws in each cell of a grid against the density's integral over the cell.
  const auto row = loops_of(raw.unsqueeze(0))[0];
  for (double x = -2; x < 2; x += 1)
    for (double y = -2; y < 2; y += 1) {
      double expected = 0;
      for (double u = 0.01; u < 1; u += 0.02)
        for (double v = 0.01; v < 1; v += 0.02) expected += density(row, x + u, y + v) * 0.0004;
      const auto dx = step.offset.select(1, 0), dy = step.offset.select(1, 1);
      const auto share = dx.ge(x).logical_and(dx.lt(x + 1)).logical_and(dy.ge(y)).logical_and(dy.lt(y + 1)).to(at::kDouble).mean();
      EXPECT_NEAR(share.item<double>(), expected, 0.005) << "cell at " << x << ", " << y;
    }
}

TEST(Mixture, ColdSamplesAreGreedy) {
  const auto output = split_mixture(normal_tensor({40, 6 * kMixtures + 3}, 11));
  const auto noise = at::cat({at::full({40, 1}, 0.37, at::kDouble), normal_tensor({40, 2}, 12), at::full({40, 1}, 0.71, at::kDouble)}, 1);
  const auto cold = sampled_step(output, 1e-8, noise), greedy = greedy_step(output);
  EXPECT_TRUE(cold.pen.equal(greedy.pen));
  EXPECT_LT((cold.offset - greedy.offset).abs().max().item<double>(), 0.01);
}

}  // namespace
}  // namespace duet
