#include "trainer/learning/learner.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/trainer/tiny_config.h"

namespace duet {
namespace {

NamedTensors three_parameters() {
  NamedTensors parameters;
  for (const std::string name : {"a", "b", "c"}) parameters.push_back({name, at::ones({2}, at::kDouble).requires_grad_()});
  return parameters;
}

Tensor loss_of(const NamedTensors& parameters) {
  // b enters last and therefore gets its gradient first: an order that no reducer would guess.
  const auto &a = parameters[0].tensor, &b = parameters[1].tensor, &c = parameters[2].tensor;
  return (((a * 3).exp() + c).sin() * b).sum();
}

TEST(Learner, GoesOnFromItsStateAndTheOrderOfItsSums) {
  const SelfRanks alone;
  const auto first = three_parameters(), second = three_parameters();
  Learner learner(first, alone.ranks().gradients, {}, {}), resumed(second, alone.ranks().gradients, {}, {});
  learner.apply(loss_of(first), 0.1);
  EXPECT_EQ(resumed.order(), Json::array());
  {
    const at::NoGradGuard no_gradients;
    for (std::size_t i = 0; i < first.size(); ++i) second[i].tensor.copy_(first[i].tensor);
  }
  resumed.load(copy_of({{"state", learner.state()}})["state"], learner.order(), learner.skipped_in_a_row());
  EXPECT_EQ(resumed.order(), learner.order()) << "before any step of its own";
  learner.apply(loss_of(first), 0.1);
  resumed.apply(loss_of(second), 0.1);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i].tensor, second[i].tensor)) << first[i].name;
}

TEST(Learner, SkipsSoManyUpdatesInARowAsItMay) {
  const SelfRanks alone;
  const auto parameters = three_parameters();
  Learner learner(parameters, alone.ranks().gradients, {}, {.skipped_limit = 2});
  auto good = [&] { return learner.apply(loss_of(parameters), 0.1); };
  auto bad = [&] { return learner.apply(loss_of(parameters) * std::numeric_limits<double>::infinity(), 0.1); };
  good();
  const auto before = parameters[0].tensor.detach().clone();
  EXPECT_TRUE(std::isnan(bad()));
  EXPECT_TRUE(std::isnan(bad()));
  EXPECT_TRUE(at::equal(parameters[0].tensor, before)) << "a skipped update changed a parameter";
  EXPECT_EQ(learner.skipped_in_a_row(), 2);
  EXPECT_TRUE(std::isfinite(good()));
  EXPECT_EQ(learner.skipped_in_a_row(), 0);
  bad();
  bad();
  EXPECT_THROW(bad(), NumericalError);
}

TEST(Learner, AddsTheGradientsOfSeveralLosses) {
  const SelfRanks alone;
  const auto parameters = three_parameters();
  const NamedTensors part{parameters[1]};
  Learner learner(parameters, alone.ranks().gradients, {}, {.parts = {{"b", part}}});
  const auto sum = [](const Tensor& tensor) { return tensor.sum(); };
  const auto all = sum(parameters[0].tensor) + sum(parameters[1].tensor) + sum(parameters[2].tensor);
  learner.apply({{.loss = 5 * sum(parameters[1].tensor), .part = "b"}, {.loss = all}}, 0.1);
  EXPECT_TRUE(at::equal(parameters[0].tensor.grad(), at::full({2}, 1.0, at::kDouble)));
  EXPECT_TRUE(at::equal(parameters[1].tensor.grad(), at::full({2}, 6.0, at::kDouble)));
}

TEST(Learner, ClipsEachLossApart) {
  const SelfRanks alone;
  const auto parameters = three_parameters();
  const NamedTensors part{parameters[1]};
  Learner learner(parameters, alone.ranks().gradients, {}, {.parts = {{"b", part}}, .clip_each = std::sqrt(2.0)});
  const auto all = parameters[0].tensor.sum() * 3e-2 + parameters[1].tensor.sum() * 4e-2 + parameters[2].tensor.sum() * 0;
  learner.apply({{.loss = 50 * parameters[1].tensor.sum(), .part = "b"}, {.loss = all}}, 0.1);
  EXPECT_TRUE(at::allclose(parameters[1].tensor.grad(), at::full({2}, 1.04, at::kDouble), 1e-12, 0))
      << "1 of the first, 0.04 of the second";
  EXPECT_TRUE(at::allclose(parameters[0].tensor.grad(), at::full({2}, 0.03, at::kDouble), 1e-12, 0));
}

TEST(Learner, SkipsTheUpdateWhenOneOfItsLossesIsNotFinite) {
  const SelfRanks alone;
  const auto parameters = three_parameters();
  const NamedTensors part{parameters[1]};
  Learner learner(parameters, alone.ranks().gradients, {}, {.skipped_limit = 1, .parts = {{"b", part}}});
  const auto infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(
      std::isnan(learner.apply({{.loss = infinity * parameters[1].tensor.sum(), .part = "b"}, {.loss = loss_of(parameters)}}, 0.1)));
  EXPECT_EQ(learner.skipped_in_a_row(), 1);
  EXPECT_TRUE(at::equal(parameters[0].tensor, at::ones({2}, at::kDouble)));
}

TEST(Learner, ALastLossThatDoesNotConcernAllParametersIsRefused) {
  const SelfRanks alone;
  const auto parameters = three_parameters();
  const NamedTensors part{parameters[1]};
  Learner learner(parameters, alone.ranks().gradients, {}, {.parts = {{"b", part}}});
  EXPECT_THROW(learner.apply({{.loss = parameters[1].tensor.sum(), .part = "b"}}, 0.1), InternalError);
}

TEST(Learner, ClipsParametersTogetherAndLeavesShortGradientsAlone) {
  auto parameters = three_parameters();
  for (auto& [name, tensor] : parameters) tensor.mutable_grad() = at::full({2}, 2.0, at::kDouble);  // norm √24
  clip_gradients(parameters, 0);
  clip_gradients(parameters, 5);
  for (const auto& [name, tensor] : parameters) EXPECT_TRUE(at::equal(tensor.grad(), at::full({2}, 2.0, at::kDouble)));
  clip_gradients(parameters, std::sqrt(6.0));
  for (const auto& [name, tensor] : parameters) EXPECT_TRUE(at::allclose(tensor.grad(), at::ones({2}, at::kDouble), 1e-12, 0));
}

}  // namespace
}  // namespace duet
