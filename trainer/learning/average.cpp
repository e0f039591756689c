#include "trainer/learning/average.h"

#include <algorithm>

#include "base/error.h"
#include "trainer/learning/named_state.h"

namespace duet {
namespace {

constexpr auto kUpdates = "average.updates";

/// The module's tensors, checked to be those of the average.
std::vector<Tensor> matching(const Module& module, const std::vector<NamedTensor>& average) {
  auto state = module.state();
  DUET_CHECK(state.size() == average.size(), "average of {} tensors with a network of {}", average.size(), state.size());
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < state.size(); ++i) {
    DUET_CHECK(state[i].name == average[i].name && state[i].tensor.sizes() == average[i].tensor.sizes(), "average of '{}' with '{}'",
               average[i].name, state[i].name);
    tensors.push_back(state[i].tensor.detach());
  }
  return tensors;
}

}  // namespace

WeightAverage::WeightAverage(const Module& module, double decay) : decay_(decay) {
  DUET_CHECK(decay > 0 && decay < 1, "decay {} is not between 0 and 1", decay);
  for (const auto& [name, tensor] : module.state()) average_.push_back({name, tensor.detach().clone()});
}

void WeightAverage::update(const Module& module) {
  at::NoGradGuard no_gradient;
  ++updates_;
  auto n = static_cast<double>(updates_);
  auto decay = std::min(decay_, (1 + n) / (10 + n));
  std::vector<Tensor> values, averages;
  auto tensors = matching(module, average_);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    averages.push_back(average_[i].tensor);
    values.push_back(tensors[i].to(average_[i].tensor.options()));
  }
  // average + (1 − d)·(network − average): constants stay exactly what they are.
  at::_foreach_lerp_(averages, values, 1 - decay);
}

void WeightAverage::copy_to(Module& module) const {
  at::NoGradGuard no_gradient;
  auto tensors = matching(module, average_);
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].copy_(average_[i].tensor);
}

void WeightAverage::swap(Module& module) {
  at::NoGradGuard no_gradient;
  auto tensors = matching(module, average_);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    auto kept = tensors[i].clone();
    tensors[i].copy_(average_[i].tensor);
    average_[i].tensor.copy_(kept);
  }
}

std::vector<NamedTensor> WeightAverage::state() const {
  auto all = average_;
  all.push_back({kUpdates, at::full({}, updates_, at::kLong)});
  return all;
}

void WeightAverage::load_state(const std::vector<NamedTensor>& state) {
  auto own = this->state();
  copy_named_state("average of weights", state, own);
  updates_ = own.back().tensor.item<std::int64_t>();
}

}  // namespace duet
