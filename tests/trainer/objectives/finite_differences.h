#pragma once
#include <gtest/gtest.h>

#include <cmath>

#include "base/torch.h"

namespace duet {

/// Compares the gradient that autograd gives for `loss(input)` with central differences, at every element. float64 only.
inline void expect_gradient(const std::function<Tensor(const Tensor&)>& loss, const Tensor& input, double tolerance = 1e-6) {
  auto leaf = input.detach().clone().set_requires_grad(true);
  loss(leaf).backward();
  ASSERT_TRUE(leaf.grad().defined());
  const auto gradient = leaf.grad().flatten();
  auto moved = input.detach().clone();
  auto values = moved.view({-1});
  constexpr double kStep = 1e-6;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const auto before = values[i].item<double>();
    values[i].fill_(before + kStep);
    const auto above = loss(moved).item<double>();
    values[i].fill_(before - kStep);
    const auto below = loss(moved).item<double>();
    values[i].fill_(before);
    EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * kStep), tolerance) << "element " << i;
  }
}

/// Standard normal float64 values, keyed by `seed`, scaled.
inline Tensor normal_tensor(std::vector<std::int64_t> shape, std::uint64_t seed, double scale = 1) {
  auto values = at::empty(shape, at::kDouble);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  auto uniform = [&] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (static_cast<double>(state >> 11) + 0.5) * 0x1.0p-53;
  };
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    values.data_ptr<double>()[i] = scale * std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform());
  }
  return values;
}

/// [n, d] float64 as nested vectors, for references written as plain loops.
inline std::vector<std::vector<double>> loops_of(const Tensor& matrix) {
  std::vector<std::vector<double>> rows;
  for (std::int64_t i = 0; i < matrix.size(0); ++i) {
    const auto row = matrix[i].contiguous();
    rows.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
  }
  return rows;
}

inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

}  // namespace duet
