#include "trainer/objectives/policy_gradient.h"

#include <gtest/gtest.h>

#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

constexpr int kMixtures = 2;

TEST(DrawingLikelihood, CountsDrawnStepsAndTheEndsPenOnly) {
  const auto raw = normal_tensor({2, 3, 6 * kMixtures + 3}, 1), offsets = normal_tensor({2, 3, 2}, 2);
  const auto pen = at::tensor({0, 2, 2, 1, 0, 1}, at::kLong).view({2, 3});
  const auto length = at::tensor({2, 3}, at::kLong);  // the second was cut by the limit: no end step
  const auto value = drawing_log_likelihood(split_mixture(raw), offsets, pen, length);
  const auto offset_term = [&](int i, int t) { return offset_log_density(split_mixture(raw[i][t]), offsets[i][t]).item<double>(); };
  const auto pen_term = [&](int i, int t, int k) { return at::log_softmax(raw[i][t].narrow(0, 0, 3), 0)[k].item<double>(); };
  EXPECT_NEAR(value[0].item<double>(), offset_term(0, 0) + pen_term(0, 0, 0) + pen_term(0, 1, 2), 1e-12);
  EXPECT_NEAR(value[1].item<double>(),
              offset_term(1, 0) + pen_term(1, 0, 1) + offset_term(1, 1) + pen_term(1, 1, 0) + offset_term(1, 2) + pen_term(1, 2, 1), 1e-12);
}

TEST(PolicyGradient, IsTheMeanOfAdvantageTimesLikelihood) {
  const auto likelihood = normal_tensor({4}, 3, 20), reward = normal_tensor({4}, 4), baseline = normal_tensor({4}, 5);
  const PolicyOptions options{.weight = 10, .steps = 100, .batch = 4};
  double expected = 0;
  for (int i = 0; i < 4; ++i) expected -= 10 * (reward[i] - baseline[i]).item<double>() * likelihood[i].item<double>() / 100 / 4;
  const auto whole = policy_gradient_loss(likelihood, reward, baseline, options);
  EXPECT_NEAR(whole.item<double>(), expected, 1e-12);
  const auto share = [&](int begin, int end) {
    return policy_gradient_loss(likelihood.slice(0, begin, end), reward.slice(0, begin, end), baseline.slice(0, begin, end), options);
  };
  EXPECT_NEAR((share(0, 1) + share(1, 4)).item<double>(), expected, 1e-12);
}

TEST(PolicyGradient, GivesTheRewardNoGradient) {
  auto reward = normal_tensor({3}, 1).set_requires_grad(true);
  auto likelihood = normal_tensor({3}, 2).set_requires_grad(true);
  policy_gradient_loss(likelihood, reward, at::zeros({3}, at::kDouble), {.batch = 3}).backward();
  EXPECT_TRUE(likelihood.grad().defined());
  EXPECT_FALSE(reward.grad().defined());
}

// Drawings of pen states alone, at most two steps: all of them can be listed, and so the exact gradient of the expected reward.
TEST(PolicyGradient, IsInExpectationTheGradientOfTheExpectedReward) {
  const std::vector<std::vector<std::int64_t>> drawings{{2}, {0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}};
  const std::vector<double> rewards{0.3, -1, 0.8, 2, 0.1, -0.4, 1.1};
  const auto logits = normal_tensor({2, 3}, 6);  // of the pen at each of the two steps
  const auto probability = [&](const Tensor& parameters, std::size_t which) {
    auto p = at::ones({}, at::kDouble);
    for (std::size_t t = 0; t < drawings[which].size(); ++t) p = p * at::softmax(parameters[t], 0)[drawings[which][t]];
    return p;
  };
  auto exact = logits.clone().set_requires_grad(true);
  auto expected_reward = at::zeros({}, at::kDouble);
  for (std::size_t k = 0; k < drawings.size(); ++k) expected_reward = expected_reward + rewards[k] * probability(exact, k);
  expected_reward.backward();

  // The loss of each drawing, weighted by how often it comes. A constant baseline must not matter.
  auto learnt = logits.clone().set_requires_grad(true);
  for (std::size_t k = 0; k < drawings.size(); ++k) {
    // One component around the offset that was drawn; what it adds to log π does not depend on the logits.
    const auto raw = at::cat({learnt, at::zeros({2, 6}, at::kDouble)}, 1).unsqueeze(0);
    auto pen = at::full({1, 2}, 2, at::kLong);
    for (std::size_t t = 0; t < drawings[k].size(); ++t) pen[0][t].fill_(drawings[k][t]);
    const auto likelihood = drawing_log_likelihood(split_mixture(raw), at::zeros({1, 2, 2}, at::kDouble), pen,
                                                   at::full({1}, static_cast<std::int64_t>(drawings[k].size()), at::kLong));
    const auto loss = policy_gradient_loss(likelihood, at::full({1}, rewards[k], at::kDouble), at::full({1}, 0.6, at::kDouble),
                                           {.weight = 1, .steps = 1, .batch = 1});
    (loss * probability(logits, k)).backward();
  }
  EXPECT_LT((learnt.grad() + exact.grad()).abs().max().item<double>(), 1e-12) << learnt.grad() << exact.grad();
}

TEST(RewardMean, StartsAtTheFirstRewardAndForgets) {
  RewardMean mean;
  mean.update(2);
  EXPECT_EQ(mean.value, 2);
  mean.update(1);
  EXPECT_NEAR(mean.value, 0.9 * 2 + 0.1 * 1, 1e-15);
}

}  // namespace
}  // namespace duet
