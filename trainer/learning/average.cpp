#include "trainer/learning/average.h"

#include <algorithm>

#include "base/error.h"

namespace duet {
namespace {

constexpr auto kUpdates = "average.updates";
constexpr auto kSubject = "average of weights";

}  // namespace

WeightAverage::WeightAverage(const Module& module, double decay) : decay_(decay) {
  DUET_CHECK(decay > 0 && decay < 1, "decay {} is not between 0 and 1", decay);
  average_ = module.state().clone();
}

void WeightAverage::update(const Module& module) {
  at::NoGradGuard no_gradient;
  ++updates_;
  auto n = static_cast<double>(updates_);
  auto decay = std::min(decay_, (1 + n) / (10 + n));
  std::vector<Tensor> averages;
  auto values = average_.partners_in(module.state(), Match::all, kSubject);
  for (std::size_t i = 0; i < values.size(); ++i) {
    averages.push_back(average_[i].tensor);
    values[i] = values[i].detach().to(averages[i].options());
  }
  // average + (1 − d)·(network − average): constants stay exactly what they are.
  at::_foreach_lerp_(averages, values, 1 - decay);
}

void WeightAverage::copy_to(Module& module) const { module.state().copy_from(average_, Match::all, kSubject); }

void WeightAverage::swap(Module& module) { module.state().swap_values(average_, kSubject); }

NamedTensors WeightAverage::state() const {
  auto all = average_;
  all.push_back({kUpdates, at::full({}, updates_, at::kLong)});
  return all;
}

void WeightAverage::load_state(const NamedTensors& state) {
  auto own = this->state();
  own.copy_from(state, Match::all, kSubject);
  updates_ = own.back().tensor.item<std::int64_t>();
}

}  // namespace duet
