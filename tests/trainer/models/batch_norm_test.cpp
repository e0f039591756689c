#include "trainer/models/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tests/trainer/models/formula.h"
#include "trainer/models/layers.h"

namespace duet {
namespace {

const NetworkContext kDouble{.dtype = at::kDouble};

Tensor named(const Module& module, const std::string& name) {
  for (const auto& [key, tensor] : module.state()) {
    if (key == name) return tensor;
  }
  throw InternalError("no tensor {}", name);
}

/// One channel after the other, by the textbook.
Tensor slow_normalise(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& variance,
                      double epsilon) {
  auto output = at::empty_like(input);
  for (std::int64_t c = 0; c < input.size(1); ++c) {
    auto scale = weight[c].item<double>() / std::sqrt(variance[c].item<double>() + epsilon);
    output.select(1, c).copy_((input.select(1, c) - mean[c].item<double>()) * scale + bias[c].item<double>());
  }
  return output;
}

TEST(BatchNorm, FrozenUsesAndKeepsTheLoadedStatisticsAndTrainsTheAffinePart) {
  BatchNorm norm(kDouble, 3, BatchNormMode::frozen, 1e-3);
  fill_by_formula(norm);
  auto mean = named(norm, "running_mean").clone(), variance = named(norm, "running_var").clone();
  auto input = formula_values("input", {4, 3, 5, 2}) * 3 + 7;
  auto output = norm.forward(input);
  EXPECT_TRUE(at::allclose(output, slow_normalise(input, named(norm, "weight"), named(norm, "bias"), mean, variance, 1e-3), 1e-12, 1e-12));
  EXPECT_TRUE(at::equal(named(norm, "running_mean"), mean));
  EXPECT_TRUE(at::equal(named(norm, "running_var"), variance));
  output.sum().backward();
  EXPECT_TRUE(named(norm, "weight").grad().defined());
  EXPECT_TRUE(at::allclose(named(norm, "bias").grad(), at::full({3}, 40.0, at::kDouble)));
}

TEST(BatchNorm, TrainingNormalisesByTheBiasedVarianceAndRemembersTheUnbiasedOne) {
  for (auto mode : {BatchNormMode::local, BatchNormMode::global}) {
    BatchNorm norm(kDouble, 3, mode, 1e-5, 0.1);
    fill_by_formula(norm);
    auto mean_before = named(norm, "running_mean").clone(), variance_before = named(norm, "running_var").clone();
    auto input = formula_values("input", {4, 3, 5, 2}) * 3 + 7;
    auto mean = input.mean({0, 2, 3}), biased = input.var({0, 2, 3}, false), unbiased = input.var({0, 2, 3}, true);
    auto output = norm.forward(input);
    EXPECT_TRUE(at::allclose(output, slow_normalise(input, named(norm, "weight"), named(norm, "bias"), mean, biased, 1e-5), 1e-11, 1e-11));
    EXPECT_TRUE(at::allclose(named(norm, "running_mean"), 0.9 * mean_before + 0.1 * mean, 1e-12, 1e-12));
    EXPECT_TRUE(at::allclose(named(norm, "running_var"), 0.9 * variance_before + 0.1 * unbiased, 1e-12, 1e-12));
  }
}

TEST(BatchNorm, EvaluationUsesTheRunningStatisticsInEveryMode) {
  for (auto mode : {BatchNormMode::frozen, BatchNormMode::local, BatchNormMode::global}) {
    BatchNorm norm(kDouble, 3, mode);
    fill_by_formula(norm);
    norm.set_training(false);
    auto mean = named(norm, "running_mean").clone();
    auto input = formula_values("input", {4, 3, 5, 2});
    auto expected = slow_normalise(input, named(norm, "weight"), named(norm, "bias"), mean, named(norm, "running_var"), 1e-5);
    EXPECT_TRUE(at::allclose(norm.forward(input), expected, 1e-12, 1e-12));
    EXPECT_TRUE(at::equal(named(norm, "running_mean"), mean)) << "evaluation moved the running mean";
  }
}

TEST(BatchNorm, FoldedIntoTheConvolutionItHasTheSameValuesAndGradients) {
  ConvolutionShape shape{.inputs = 3, .outputs = 4, .kernel = {3, 3}, .padding = {1, 1}, .bias = true};
  ConvolutionNorm folded(kDouble, {"conv", "bn"}, shape, 0.3, BatchNormMode::frozen, Activation::relu6);
  fill_by_formula(folded);
  Convolution convolution(kDouble, shape, 0.3);
  BatchNorm norm(kDouble, 4, BatchNormMode::frozen);
  {
    at::NoGradGuard no_gradient;
    for (auto& [name, tensor] : convolution.state()) tensor.copy_(named(folded, "conv." + name));
    for (auto& [name, tensor] : norm.state()) tensor.copy_(named(folded, "bn." + name));
  }
  auto input = formula_values("input", {2, 3, 6, 5}) * 4;
  auto slope = formula_values("slope", {2, 4, 6, 5});
  auto one = folded.forward(input), two = norm.forward(convolution.forward(input)).clamp(0, 6);
  EXPECT_TRUE(at::allclose(one, two, 1e-12, 1e-12));
  (one * slope).sum().backward();
  (two * slope).sum().backward();
  for (auto& [name, tensor] : convolution.parameters()) {
    EXPECT_TRUE(at::allclose(tensor.grad(), named(folded, "conv." + name).grad(), 1e-10, 1e-12)) << name;
  }
  for (auto& [name, tensor] : norm.parameters()) {
    EXPECT_TRUE(at::allclose(tensor.grad(), named(folded, "bn." + name).grad(), 1e-10, 1e-12)) << name;
  }
}

}  // namespace
}  // namespace duet
