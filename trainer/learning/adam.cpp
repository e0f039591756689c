#include "trainer/learning/adam.h"

#include <cmath>

#include "base/error.h"

namespace duet {

Adam::Adam(NamedTensors parameters, const AdamOptions& options) : options_(options), parameters_(std::move(parameters)) {
  for (const auto& [name, tensor] : parameters_) {
    DUET_CHECK(tensor.is_contiguous(), "parameter '{}' is not contiguous", name);
    first_.push_back(at::zeros_like(tensor));
    second_.push_back(at::zeros_like(tensor));
  }
}

double Adam::step(double learning_rate) {
  at::NoGradGuard no_gradient;
  std::vector<Tensor> values, gradients;
  for (const auto& [name, tensor] : parameters_) {
    DUET_CHECK(tensor.grad().defined(), "parameter '{}' has no gradient", name);
    values.push_back(tensor);
    // The fused kernel walks memory in order: a gradient that lies otherwise (channels-last, say) is put into the parameter's order.
    gradients.push_back(tensor.grad().contiguous());
  }
  if (values.empty()) return 0;

  auto norms = at::stack(at::_foreach_norm(gradients, 2)).to(at::kDouble);
  auto norm = norms.norm().item<double>();
  if (!std::isfinite(norm)) {
    auto finite = norms.isfinite().cpu();
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!finite[static_cast<std::int64_t>(i)].item<bool>()) {
        throw NumericalError("the gradient of '{}' is not finite at update {}; nothing was changed by this update", parameters_[i].name,
                             steps_ + 1);
      }
    }
    throw NumericalError("the norm of all gradients overflows at update {}", steps_ + 1);
  }
  if (options_.clip > 0 && norm > options_.clip) at::_foreach_mul_(gradients, options_.clip / norm);

  ++steps_;
  std::vector<Tensor> steps(values.size(), at::full({}, steps_, values[0].options().dtype(at::kFloat)));
  at::_fused_adam_(values, gradients, first_, second_, /*max_exp_avg_sqs=*/{}, steps, learning_rate, options_.beta1, options_.beta2,
                   options_.weight_decay, options_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  return norm;
}

NamedTensors Adam::state() const {
  NamedTensors all;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    all.push_back({parameters_[i].name + ".first_moment", first_[i]});
    all.push_back({parameters_[i].name + ".second_moment", second_[i]});
  }
  all.push_back({"steps", at::full({}, steps_, at::kLong)});
  return all;
}

void Adam::load_state(const NamedTensors& state) {
  auto own = this->state();
  own.copy_from(state, Match::all, "state of the optimiser");
  steps_ = own.back().tensor.item<std::int64_t>();
}

}  // namespace duet
