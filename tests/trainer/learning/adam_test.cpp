#include "trainer/learning/adam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace duet {
namespace {

using testing::HasSubstr;

Tensor noise(std::uint64_t key, at::IntArrayRef shape) {
  KeyedRandom random(key, Purpose::test, 0, 0);
  auto values = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.mutable_data_ptr<double>()[i] = random.normal();
  return values;
}

NamedTensors some_parameters(at::ScalarType dtype = at::kDouble) {
  NamedTensors parameters;
  for (std::uint64_t key : {1, 2, 3}) {
    auto shape = std::vector<std::int64_t>{3, static_cast<std::int64_t>(key) * 7, 3, 3};
    parameters.push_back({fmt::format("p{}", key), noise(key, shape).to(dtype).requires_grad_()});
  }
  return parameters;
}

void set_gradients(const NamedTensors& parameters, std::uint64_t step, double scale = 1) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto tensor = parameters[i].tensor;
    tensor.mutable_grad() = (noise(100 * step + i, tensor.sizes()) * scale).to(tensor.scalar_type());
  }
}

/// Kingma and Ba 2015, algorithm 1, one number after the other, in float64.
struct SlowAdam {
  AdamOptions options;
  std::vector<std::vector<double>> value, first, second;
  int steps = 0;

  SlowAdam(const NamedTensors& parameters, const AdamOptions& chosen) : options(chosen) {
    for (const auto& parameter : parameters) {
      auto flat = parameter.tensor.detach().to(at::kDouble).contiguous();
      value.emplace_back(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
      first.emplace_back(flat.numel(), 0.0);
      second.emplace_back(flat.numel(), 0.0);
    }
  }

  double step(const NamedTensors& parameters, double rate) {
    double square = 0;
    std::vector<Tensor> gradients;
    for (const auto& parameter : parameters) {
      gradients.push_back(parameter.tensor.grad().to(at::kDouble).contiguous());
      for (std::int64_t i = 0; i < gradients.back().numel(); ++i) square += std::pow(gradients.back().data_ptr<double>()[i], 2);
    }
    double norm = std::sqrt(square), factor = options.clip > 0 && norm > options.clip ? options.clip / norm : 1;
    ++steps;
    for (std::size_t p = 0; p < value.size(); ++p) {
      for (std::size_t i = 0; i < value[p].size(); ++i) {
        double g = gradients[p].data_ptr<double>()[i] * factor + options.weight_decay * value[p][i];
        first[p][i] = options.beta1 * first[p][i] + (1 - options.beta1) * g;
        second[p][i] = options.beta2 * second[p][i] + (1 - options.beta2) * g * g;
        double m = first[p][i] / (1 - std::pow(options.beta1, steps)), v = second[p][i] / (1 - std::pow(options.beta2, steps));
        value[p][i] -= rate * m / (std::sqrt(v) + options.epsilon);
      }
    }
    return norm;
  }

  double largest_difference(const NamedTensors& parameters) const {
    double largest = 0;
    for (std::size_t p = 0; p < value.size(); ++p) {
      auto flat = parameters[p].tensor.detach().to(at::kDouble).contiguous();
      for (std::size_t i = 0; i < value[p].size(); ++i) largest = std::max(largest, std::abs(flat.data_ptr<double>()[i] - value[p][i]));
    }
    return largest;
  }
};

TEST(Adam, FollowsTheAlgorithmWithDecayClippingAndAChangingRate) {
  for (const auto& options : {AdamOptions{}, AdamOptions{.beta1 = 0.5}, AdamOptions{.weight_decay = 0.1}, AdamOptions{.clip = 5}}) {
    auto parameters = some_parameters();
    Adam adam(parameters, options);
    SlowAdam slow(parameters, options);
    for (std::uint64_t step = 1; step <= 20; ++step) {
      double rate = 0.01 / static_cast<double>(step);
      set_gradients(parameters, step);
      auto expected = slow.step(parameters, rate);
      EXPECT_NEAR(adam.step(rate), expected, 1e-10 * expected);
    }
    EXPECT_EQ(adam.steps(), 20);
    EXPECT_LT(slow.largest_difference(parameters), 1e-12);
  }
}

TEST(Adam, IsAccurateInFloat32) {
  auto parameters = some_parameters(at::kFloat);
  Adam adam(parameters, {});
  SlowAdam slow(parameters, {});
  for (std::uint64_t step = 1; step <= 20; ++step) {
    set_gradients(parameters, step);
    slow.step(parameters, 0.01);
    adam.step(0.01);
  }
  EXPECT_LT(slow.largest_difference(parameters), 5e-6);
}

TEST(Adam, TakesGradientsOfAnyMemoryOrder) {
  auto parameters = some_parameters(), same = some_parameters();
  Adam adam(parameters, {}), other(same, {});
  set_gradients(parameters, 1);
  set_gradients(same, 1);
  for (auto& [name, tensor] : same) tensor.mutable_grad() = tensor.grad().contiguous(at::MemoryFormat::ChannelsLast);
  adam.step(0.1);
  other.step(0.1);
  for (std::size_t i = 0; i < same.size(); ++i) EXPECT_TRUE(at::equal(parameters[i].tensor, same[i].tensor)) << same[i].name;
}

TEST(Adam, ContinuesFromItsStateBitForBit) {
  auto parameters = some_parameters(at::kFloat);
  Adam adam(parameters, {});
  for (std::uint64_t step = 1; step <= 3; ++step) {
    set_gradients(parameters, step);
    adam.step(0.01);
  }
  NamedTensors copied, saved;
  for (auto& [name, tensor] : parameters) copied.push_back({name, tensor.detach().clone().requires_grad_()});
  for (auto& [name, tensor] : adam.state()) saved.insert(saved.begin(), {name, tensor.clone()});
  Adam resumed(copied, {});
  resumed.load_state(saved);
  EXPECT_EQ(resumed.steps(), 3);
  for (std::uint64_t step = 4; step <= 6; ++step) {
    set_gradients(parameters, step);
    set_gradients(copied, step);
    adam.step(0.01);
    resumed.step(0.01);
  }
  for (std::size_t i = 0; i < copied.size(); ++i) EXPECT_TRUE(at::equal(parameters[i].tensor, copied[i].tensor)) << copied[i].name;
}

TEST(Adam, RefusesAStateOfOtherParameters) {
  auto parameters = some_parameters();
  Adam adam(parameters, {});
  auto expect_refusal = [&](NamedTensors state, const std::string& part) {
    try {
      adam.load_state(state);
      ADD_FAILURE() << "accepted; expected: " << part;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  };
  auto missing = adam.state(), extra = adam.state(), reshaped = adam.state();
  missing.erase(missing.begin());
  extra.push_back({"q.first_moment", at::zeros({1})});
  reshaped[0].tensor = at::zeros({2});
  expect_refusal(missing, "'p1.first_moment' is missing");
  expect_refusal(extra, "'q.first_moment'");
  expect_refusal(reshaped, "'p1.first_moment' has shape [2], not [3, 7, 3, 3]");
}

TEST(Adam, AGradientThatIsNotFiniteIsNamedAndNothingChanges) {
  auto parameters = some_parameters();
  Adam adam(parameters, {});
  set_gradients(parameters, 1);
  adam.step(0.1);
  auto before = parameters[0].tensor.detach().clone();
  set_gradients(parameters, 2);
  parameters[1].tensor.mutable_grad()[0][0][0][0] = std::numeric_limits<double>::quiet_NaN();
  try {
    adam.step(0.1);
    FAIL() << "no error";
  } catch (const NumericalError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'p2'"));
  }
  EXPECT_TRUE(at::equal(before, parameters[0].tensor));
  EXPECT_EQ(adam.steps(), 1);
}

TEST(Adam, AParameterWithoutGradientIsNamed) {
  auto parameters = some_parameters();
  Adam adam(parameters, {});
  EXPECT_THROW(adam.step(0.1), InternalError);
}

}  // namespace
}  // namespace duet
