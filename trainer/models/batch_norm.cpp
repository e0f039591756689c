#include "trainer/models/batch_norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "cluster/communicate/communicator.h"
#include "cluster/reducer/tensor_collectives.h"

namespace duet {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct Statistics {
  Tensor mean, variance;  ///< [channels], float64; the variance is the biased one
  double count = 0;       ///< values per channel
};

double values_per_channel(const Tensor& input) { return static_cast<double>(input.numel() / input.size(1)); }

/// Mean and variance over all ranks. Each rank's are joined by the rule of Chan, Golub and LeVeque: squares are centred on the rank's own
/// mean before they are summed, so that nothing cancels when the mean is large. One collective;
/// every rank does the same sum in the same order.
Statistics global_statistics(const Tensor& input, Communicator& ranks) {
  auto channels = input.size(1);
  auto [mean, variance] = at::batch_norm_update_stats(input, {}, {}, 0);
  auto own = at::full({1, 2 * channels + 1}, values_per_channel(input), input.options().dtype(at::kDouble));
  own.slice(1, 0, channels).copy_(mean);
  own.slice(1, channels, 2 * channels).copy_(variance);
  auto all = all_gather_rows(own, ranks);
  auto means = all.slice(1, 0, channels), variances = all.slice(1, channels, 2 * channels), counts = all.slice(1, 2 * channels);

  Statistics joined;
  auto count = counts.sum();
  joined.count = count.item<double>();
  auto share = counts / count;
  joined.mean = (means * share).sum(0);
  joined.variance = ((variances + (means - joined.mean).square()) * share).sum(0);
  return joined;
}

/// Normalises with statistics of all ranks; backward as in Ioffe and Szegedy 2015, section 3, with its two sums taken over all ranks.
class GlobalBatchNorm : public torch::autograd::Function<GlobalBatchNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                        Tensor running_var, Communicator* ranks, double epsilon, double momentum) {
    auto statistics = global_statistics(input, *ranks);
    auto unbiased = statistics.variance * (statistics.count / (statistics.count - 1));
    running_mean.copy_(running_mean.to(at::kDouble).lerp(statistics.mean, momentum));
    running_var.copy_(running_var.to(at::kDouble).lerp(unbiased, momentum));

    auto mean = statistics.mean.to(weight.scalar_type()), variance = statistics.variance.to(weight.scalar_type());
    context->save_for_backward({input, weight, mean, variance});
    context->saved_data["ranks"] = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(ranks));
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["count"] = statistics.count;
    return std::get<0>(at::native_batch_norm(input, weight, bias, mean, variance, /*training=*/false, 0, epsilon));
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &mean = saved[2], &variance = saved[3];
    auto& ranks = *reinterpret_cast<Communicator*>(static_cast<std::intptr_t>(context->saved_data["ranks"].toInt()));
    auto epsilon = context->saved_data["epsilon"].toDouble(), count = context->saved_data["count"].toDouble();

    // As if the statistics were constants: one pass gives the first term of the input's gradient and this rank's two sums.
    auto [direct, weight_gradient, bias_gradient] =
        at::native_batch_norm_backward(gradients[0], input, weight, mean, variance, {}, {}, /*train=*/false, epsilon, {true, true, true});

    auto sums = at::stack({bias_gradient, weight_gradient}).to(at::kDouble);
    all_reduce_(sums, ranks, ReduceOp::sum);

    // What flows through the statistics is an affine map of the input per channel:  slope·x + offset.
    auto inverse = (variance.to(at::kDouble) + epsilon).rsqrt();
    auto factor = weight.to(at::kDouble) * inverse / count;
    auto slope = -factor * inverse * sums[1];
    auto offset = -factor * sums[0] - slope * mean.to(at::kDouble);
    std::vector<std::int64_t> shape(input.dim(), 1);
    shape[1] = input.size(1);
    auto per_channel = [&](const Tensor& value) { return value.to(input.scalar_type()).view(shape); };
    auto input_gradient = direct.addcmul_(input, per_channel(slope)).add_(per_channel(offset));

    return {input_gradient, weight_gradient, bias_gradient, {}, {}, {}, {}, {}};
  }
};

}  // namespace

BatchNorm::BatchNorm(const NetworkContext& context, std::int64_t channels, BatchNormMode mode, double epsilon, double momentum)
    : mode_(mode), epsilon_(epsilon), momentum_(momentum), statistics_(context.statistics) {
  weight_ = add_parameter("weight", constant_values(context, {channels}, 1));
  bias_ = add_parameter("bias", constant_values(context, {channels}, 0));
  running_mean_ = add_buffer("running_mean", constant_values(context, {channels}, 0));
  running_var_ = add_buffer("running_var", constant_values(context, {channels}, 1));
}

Tensor BatchNorm::forward(const Tensor& input) {
  if (is_affine()) return at::batch_norm(input, weight_, bias_, running_mean_, running_var_, /*training=*/false, 0, epsilon_, true);
  bool several_ranks = mode_ == BatchNormMode::global && statistics_ != nullptr && statistics_->size() > 1;
  if (several_ranks) {
    return GlobalBatchNorm::apply(input, weight_, bias_, running_mean_, running_var_, statistics_, epsilon_, momentum_);
  }
  return at::batch_norm(input, weight_, bias_, running_mean_, running_var_, /*training=*/true, momentum_, epsilon_, true);
}

BatchNorm::Affine BatchNorm::affine() const {
  auto scale = weight_ * (running_var_ + epsilon_).rsqrt();
  return {scale, bias_ - running_mean_ * scale};
}

}  // namespace duet
