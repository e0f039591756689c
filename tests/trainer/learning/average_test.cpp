#include "trainer/learning/average.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "trainer/models/batch_norm.h"

namespace duet {
namespace {

void set_all(const Module& module, double value) {
  at::NoGradGuard no_gradient;
  for (auto& [name, tensor] : module.state()) tensor.fill_(value);
}

double value_of(const Module& module, std::size_t tensor) { return module.state()[tensor].tensor[0].item<double>(); }

TEST(WeightAverage, FollowsTheRecursionWithItsWarmUpForParametersAndStatistics) {
  BatchNorm module({.dtype = at::kDouble}, 3, BatchNormMode::local);
  set_all(module, 1);
  WeightAverage average(module, 0.9);
  double expected = 1;
  for (int n = 1; n <= 200; ++n) {
    set_all(module, n % 7);
    average.update(module);
    double decay = std::min(0.9, (1.0 + n) / (10.0 + n));
    expected = decay * expected + (1 - decay) * (n % 7);
  }
  BatchNorm out({.dtype = at::kDouble}, 3, BatchNormMode::local);
  average.copy_to(out);
  for (std::size_t tensor = 0; tensor < 4; ++tensor) EXPECT_NEAR(value_of(out, tensor), expected, 1e-12) << out.state()[tensor].name;
  EXPECT_EQ(value_of(module, 0), 200 % 7) << "the network itself is not touched";
}

TEST(WeightAverage, ConstantsStayExactlyWhatTheyAre) {
  BatchNorm module({}, 3, BatchNormMode::local);
  set_all(module, 0.485);
  WeightAverage average(module, 0.98);
  for (int n = 0; n < 1000; ++n) average.update(module);
  EXPECT_TRUE(at::equal(average.state()[0].tensor, module.state()[0].tensor));
}

TEST(WeightAverage, ASwapAndASwapBackChangeNothing) {
  BatchNorm module({}, 3, BatchNormMode::local);
  set_all(module, 1);
  WeightAverage average(module, 0.5);
  set_all(module, 2);
  average.update(module);
  auto kept = value_of(module, 0);
  average.swap(module);
  EXPECT_NE(value_of(module, 0), kept);
  EXPECT_TRUE(module.parameters()[0].tensor.requires_grad());
  average.swap(module);
  EXPECT_EQ(value_of(module, 0), kept);
}

TEST(WeightAverage, ContinuesFromItsState) {
  BatchNorm module({}, 3, BatchNormMode::local);
  WeightAverage first(module, 0.9);
  for (int n = 0; n < 5; ++n) {
    set_all(module, n);
    first.update(module);
  }
  WeightAverage resumed(module, 0.9);
  resumed.load_state(first.state());
  EXPECT_EQ(resumed.updates(), 5);
  set_all(module, 9);
  first.update(module);
  resumed.update(module);
  EXPECT_TRUE(at::equal(first.state()[0].tensor, resumed.state()[0].tensor));
  auto state = first.state();
  state.pop_back();
  EXPECT_THROW(resumed.load_state(state), DataError);
}

}  // namespace
}  // namespace duet
