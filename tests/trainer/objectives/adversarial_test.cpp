#include "trainer/objectives/adversarial.h"

#include <gtest/gtest.h>

#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST(Adversarial, IsBinaryCrossEntropyPerPatchAveraged) {
  const auto logits = normal_tensor({3, 1, 2, 4}, 1, 3);
  const auto human = adversarial_terms(logits, PairOrigin::human), generated = adversarial_terms(logits, PairOrigin::generated);
  const auto rows = loops_of(logits.flatten(1));
  ASSERT_EQ(human.sizes(), at::IntArrayRef({3}));
  for (std::size_t i = 0; i < 3; ++i) {
    double is_human = 0, is_generated = 0;
    for (const auto x : rows[i]) {
      is_human -= std::log(sigmoid(x)) / 8;
      is_generated -= std::log(1 - sigmoid(x)) / 8;
    }
    EXPECT_NEAR(human[static_cast<std::int64_t>(i)].item<double>(), is_human, 1e-12);
    EXPECT_NEAR(generated[static_cast<std::int64_t>(i)].item<double>(), is_generated, 1e-12);
  }
}

TEST(Adversarial, HasTheGradientOfItsValue) {
  const auto logits = normal_tensor({3, 1, 2, 2}, 1), other = normal_tensor({2, 1, 2, 2}, 2);
  expect_gradient([&](const Tensor& x) { return adversarial_loss(x, 3, other, 2); }, logits);
  expect_gradient([&](const Tensor& x) { return adversarial_loss(other, 2, x, 3); }, logits);
}

TEST(Adversarial, KeepsALargeLossLargeAndFinite) {
  auto logits = at::full({1, 1, 1, 1}, -200.0, at::kFloat).set_requires_grad(true);
  const auto term = adversarial_terms(logits, PairOrigin::human);
  term.sum().backward();
  EXPECT_FLOAT_EQ(term.item<float>(), 200);  // log of a rounded sigmoid would be infinite
  EXPECT_FLOAT_EQ(logits.grad().item<float>(), -1);
}

TEST(Adversarial, SharesOfRanksAddUpToTheGlobalLoss) {
  const auto human = normal_tensor({5, 1, 2, 2}, 1), generated = normal_tensor({4, 1, 2, 2}, 2);
  const auto whole = adversarial_terms(human, PairOrigin::human).mean() + adversarial_terms(generated, PairOrigin::generated).mean();
  const auto shares = adversarial_loss(human.slice(0, 0, 2), 5, generated.slice(0, 0, 0), 4) +  // a rank without generated pairs
                      adversarial_loss(human.slice(0, 2, 5), 5, generated, 4);
  EXPECT_NEAR(whole.item<double>(), shares.item<double>(), 1e-12);
}

}  // namespace
}  // namespace duet
