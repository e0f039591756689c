#include "trainer/objectives/vae_loss.h"

#include <gtest/gtest.h>

#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

constexpr int kMixtures = 2, kSteps = 4;
const std::vector<std::int64_t> kLengths{4, 2, 1};

/// Offsets at random, pens touching and lifted in turn, the end at each length and behind it.
Tensor targets() {
  auto all = at::zeros({3, kSteps, 5}, at::kDouble);
  all.narrow(2, 0, 2).copy_(normal_tensor({3, kSteps, 2}, 1));
  for (int i = 0; i < 3; ++i)
    for (int t = 0; t < kSteps; ++t) all[i][t][t + 1 >= kLengths[i] ? 4 : 2 + t % 2].fill_(1);
  return all;
}

Tensor terms(const Tensor& raw) { return reconstruction_terms(split_mixture(raw), targets(), at::tensor(kLengths, at::kLong)); }

TEST(Reconstruction, IsTheFormulaStepByStep) {
  const auto raw = normal_tensor({3, kSteps, 6 * kMixtures + 3}, 2, 0.6);
  const auto value = terms(raw);
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    for (int t = 0; t < kLengths[i]; ++t) {
      const auto output = split_mixture(raw[i][t]);
      const auto target = targets()[i][t];
      const bool end = t + 1 == kLengths[i];
      if (!end) sum -= offset_log_density(output, target.narrow(0, 0, 2)).item<double>();
      sum -= at::log_softmax(raw[i][t].narrow(0, 0, 3), 0)[end ? 2 : t % 2].item<double>();
    }
    EXPECT_NEAR(value[i].item<double>(), sum / static_cast<double>(kLengths[i]), 1e-12) << "sequence " << i;
  }
}

TEST(Reconstruction, GivesNoGradientToStepsThatDoNotCount) {
  auto raw = normal_tensor({3, kSteps, 6 * kMixtures + 3}, 2, 0.6);
  // What a diverged padding step could hold: an infinite density there must not spoil the sum.
  raw[1][3].narrow(0, 3 + 3 * kMixtures, 2 * kMixtures).fill_(-1e6);
  raw.set_requires_grad(true);
  const auto value = terms(raw);
  EXPECT_TRUE(value.isfinite().all().item<bool>());
  value.sum().backward();
  for (int i = 0; i < 3; ++i)
    for (int t = 0; t < kSteps; ++t) {
      if (i == 1 && t == 3) continue;
      const auto gradient = raw.grad()[i][t];
      const bool counts = t < kLengths[i], end = t + 1 == kLengths[i];
      EXPECT_EQ(gradient.narrow(0, 0, 3).ne(0).any().item<bool>(), counts) << i << " " << t;
      EXPECT_EQ(gradient.narrow(0, 3, 6 * kMixtures).ne(0).any().item<bool>(), counts && !end) << i << " " << t;
    }
}

TEST(Reconstruction, HasTheGradientOfItsValue) {
  expect_gradient([](const Tensor& raw) { return terms(raw).sum(); }, normal_tensor({3, kSteps, 6 * kMixtures + 3}, 2, 0.6));
}

TEST(Divergence, IsTheIntegralOfTheLogRatio) {
  const double mean = 0.7, log_variance = -0.9, deviation = std::exp(log_variance / 2);
  double integral = 0;
  for (double x = -12; x < 12; x += 1e-3) {
    const double u = (x - mean) / deviation;
    const double p = std::exp(-u * u / 2) / (deviation * std::sqrt(2 * M_PI));
    integral += p * (-u * u / 2 - std::log(deviation) + x * x / 2) * 1e-3;
  }
  const auto value = divergence_terms(at::full({2, 5}, mean, at::kDouble), at::full({2, 5}, log_variance, at::kDouble));
  ASSERT_EQ(value.sizes(), at::IntArrayRef({2}));
  EXPECT_NEAR(value[0].item<double>(), integral, 1e-8);
  EXPECT_EQ(divergence_terms(at::zeros({1, 3}), at::zeros({1, 3})).item<float>(), 0);
}

TEST(VaeLoss, SharesOfRanksAddUpToTheGlobalLossAndItsGradient) {
  const auto reconstruction = normal_tensor({5}, 3).abs(), divergence = normal_tensor({5}, 4).abs();
  for (const double floor : {0.0, 0.2, 100.0}) {
    const VaeBatch batch{
        .size = 5, .mean_divergence = divergence.mean().item<double>(), .divergence_weight = 0.4, .divergence_floor = floor};
    auto r = reconstruction.clone().set_requires_grad(true), d = divergence.clone().set_requires_grad(true);
    double value = 0;
    for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 5}}) {
      const auto share = vae_loss(r.slice(0, begin, end), d.slice(0, begin, end), batch);
      value += share.item<double>();
      share.backward();
    }
    EXPECT_NEAR(value, reconstruction.mean().item<double>() + 0.4 * std::max(batch.mean_divergence, floor), 1e-12);
    EXPECT_TRUE(at::allclose(r.grad(), at::full({5}, 0.2, at::kDouble)));
    if (floor == 100)
      EXPECT_FALSE(d.grad().defined() && d.grad().ne(0).any().item<bool>()) << "below the floor the divergence must not train";
    else
      EXPECT_TRUE(at::allclose(d.grad(), at::full({5}, 0.4 / 5, at::kDouble)));
  }
}

TEST(VaeLoss, FollowsThePublishedSchedules) {
  const GeneratorConfig config;
  EXPECT_NEAR(divergence_weight(config, 0), 0.01, 1e-12);
  EXPECT_NEAR(divergence_weight(config, 1), 1 - 0.99 * 0.99995, 1e-12);
  EXPECT_NEAR(divergence_weight(config, 1000000), 1, 1e-12);
  EXPECT_NEAR(generator_learning_rate(config, 0), 1e-4, 1e-18);
  EXPECT_NEAR(generator_learning_rate(config, 2), 9e-5 * 0.9999 * 0.9999 + 1e-5, 1e-18);
}

}  // namespace
}  // namespace duet
