#include "trainer/models/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "trainer/models/batch_norm.h"
#include "trainer/models/layers.h"

namespace duet {
namespace {

using testing::ElementsAre;

class Pair : public Module {
 public:
  explicit Pair(const NetworkContext& context, bool swapped = false) {
    if (swapped) norm = std::make_unique<BatchNorm>(context.within("norm"), 4, BatchNormMode::local);
    linear = std::make_unique<Linear>(context.within("linear"), 3, 4);
    if (!swapped) norm = std::make_unique<BatchNorm>(context.within("norm"), 4, BatchNormMode::local);
    add_child("linear", *linear);
    add_child("norm", *norm);
    scale = add_parameter("scale", normal_values(context, "scale", {5}, 1));
  }
  std::unique_ptr<Linear> linear;
  std::unique_ptr<BatchNorm> norm;
  Tensor scale;
};

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& tensor : tensors) names.push_back(tensor.name);
  return names;
}

TEST(Module, NamesItsTensorsByTheirPlaceInTheTree) {
  Pair pair({});
  EXPECT_THAT(names_of(pair.parameters()), ElementsAre("scale", "linear.weight", "linear.bias", "norm.weight", "norm.bias"));
  EXPECT_THAT(names_of(pair.buffers()), ElementsAre("norm.running_mean", "norm.running_var"));
  for (const auto& parameter : pair.parameters()) EXPECT_TRUE(parameter.tensor.requires_grad()) << parameter.name;
  for (const auto& buffer : pair.buffers()) EXPECT_FALSE(buffer.tensor.requires_grad()) << buffer.name;
}

TEST(Module, InitialWeightsDependOnSeedAndFullNameOnly) {
  Pair first({.seed = 5}), again({.seed = 5}, /*swapped=*/true), other({.seed = 6}), elsewhere({.seed = 5, .scope = "g"});
  EXPECT_TRUE(at::equal(first.parameters()[1].tensor, again.parameters()[1].tensor)) << "the order of construction matters";
  EXPECT_FALSE(at::equal(first.parameters()[1].tensor, other.parameters()[1].tensor));
  EXPECT_FALSE(at::equal(first.parameters()[1].tensor, elsewhere.parameters()[1].tensor));
  EXPECT_FALSE(at::equal(first.scale, normal_values({.seed = 5}, "other", {5}, 1)));
}

TEST(Module, InitialWeightsOfBothPrecisionsAreTheSameNumbersRounded) {
  Pair single({.seed = 5}), exact({.dtype = at::kDouble, .seed = 5});
  for (std::size_t i = 0; i < single.parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(single.parameters()[i].tensor, exact.parameters()[i].tensor.to(at::kFloat)));
  }
}

TEST(Module, InitialValuesHaveTheDeviationOrBoundTheyWereAskedFor) {
  auto normal = normal_values({}, "n", {200, 500}, 0.02).to(at::kDouble);
  EXPECT_NEAR(normal.mean().item<double>(), 0, 3 * 0.02 / std::sqrt(1e5));
  EXPECT_NEAR(normal.std().item<double>(), 0.02, 0.02 * 0.01);
  auto uniform = uniform_values({}, "u", {200, 500}, 0.5).to(at::kDouble);
  EXPECT_NEAR(uniform.std().item<double>(), 0.5 / std::sqrt(3), 0.003);
  EXPECT_LE(uniform.abs().max().item<double>(), 0.5);
}

TEST(Module, ConversionKeepsTheHandlesThatOthersHold) {
  Pair pair({});
  auto held = pair.parameters()[1].tensor;
  auto before = held.detach().clone();
  pair.to(at::kCPU, at::kDouble);
  EXPECT_EQ(held.scalar_type(), at::kDouble);
  EXPECT_TRUE(at::equal(held, before.to(at::kDouble)));
  EXPECT_TRUE(held.requires_grad());
  pair.linear->forward(at::ones({2, 3}, at::kDouble)).sum().backward();
  EXPECT_TRUE(held.grad().defined()) << "the network trains other tensors than the ones handed out";
}

TEST(Module, ACopyTakesParametersAndBuffersAcrossPrecisions) {
  Pair from({.seed = 1}), to({.dtype = at::kDouble, .seed = 2});
  from.buffers()[0].tensor.fill_(3);
  to.copy_from(from);
  for (std::size_t i = 0; i < from.state().size(); ++i) {
    EXPECT_TRUE(at::equal(from.state()[i].tensor.to(at::kDouble), to.state()[i].tensor)) << from.state()[i].name;
  }
  Linear another({}, 3, 4);
  EXPECT_THROW(to.copy_from(another), DataError);
}

TEST(Module, ModeAndGradientsAreSwitchedForAllParts) {
  Pair pair({});
  {
    EvaluationMode evaluation(pair);
    EXPECT_FALSE(pair.norm->training());
  }
  EXPECT_TRUE(pair.norm->training());
  pair.set_requires_grad(false);
  for (const auto& parameter : pair.parameters()) EXPECT_FALSE(parameter.tensor.requires_grad()) << parameter.name;
}

}  // namespace
}  // namespace duet
