#include "trainer/learning/learner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/log.h"
#include "cluster/reducer/tensor_collectives.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

ReducerOptions options_of(const ClusterConfig& cluster) {
  return {.bucket_bytes = static_cast<std::int64_t>(cluster.bucket_mebibytes * (1 << 20)), .transport = cluster.transport};
}

}  // namespace

void clip_gradients(const NamedTensors& parameters, double limit) {
  if (limit <= 0) return;
  double squares = 0;
  for (const auto& [name, tensor] : parameters) squares += tensor.grad().to(at::kDouble).square().sum().item<double>();
  const double norm = std::sqrt(squares);
  if (norm <= limit) return;
  for (const auto& [name, tensor] : parameters) tensor.grad().mul_(limit / norm);
}

Learner::Learner(NamedTensors parameters, Communicator& gradients, const ClusterConfig& cluster, LearnerOptions options)
    : parameters_(std::move(parameters)),
      statistics_(std::move(options.statistics)),
      ranks_(gradients),
      adam_(parameters_, options.adam),
      clip_each_(options.clip_each),
      skipped_limit_(options.skipped_limit),
      network_(std::move(options.network)) {
  auto add = [&](LearnerPart part, const ReducerOptions& how) {
    auto reducer = std::make_unique<GradientReducer>(part.parameters, gradients, how);
    reduced_.push_back({std::move(part), std::move(reducer)});
  };
  add({.name = "", .parameters = parameters_}, options_of(cluster));
  for (auto& part : options.parts) add(std::move(part), {});
}

double Learner::apply(const std::vector<LearnerLoss>& losses, double learning_rate) {
  DUET_CHECK(!losses.empty(), "an update without a loss");
  DUET_CHECK(reduced(losses.back().part).part.parameters.size() == parameters_.size(), "the last loss does not concern all parameters");
  std::vector<std::pair<Tensor, Tensor>> earlier;  // parameters and what the losses before the last want of them
  for (const auto& [loss, part] : losses) {
    const auto& concerned = reduced(part);
    reduce(concerned, loss);
    clip_gradients(concerned.part.parameters, clip_each_);
    if (&loss == &losses.back().loss) break;
    for (const auto& [name, tensor] : concerned.part.parameters) earlier.emplace_back(tensor, tensor.grad().clone());
  }
  for (const auto& [parameter, gradient] : earlier) parameter.grad().add_(gradient);
  return step(learning_rate);
}

const Learner::Reduced& Learner::reduced(const std::string& part) const {
  const auto found = std::ranges::find_if(reduced_, [&](const Reduced& entry) { return entry.part.name == part; });
  DUET_CHECK(found != reduced_.end(), "the learner has no part '{}'", part);
  return *found;
}

void Learner::reduce(const Reduced& reduced, const Tensor& loss) {
  reduced.reducer->arm();
  {
    const TraceSpan span("backward", SpanKind::compute);
    loss.backward();
  }
  try {
    reduced.reducer->finish();
  } catch (const NumericalError& error) {
    skip(error);
  }
}

// Every rank decides alike: which gradient is not finite, all know.
void Learner::skip(const NumericalError& error) {
  if (skips_) return;
  const auto named = network_.empty() ? error : NumericalError("{}: {}", network_, error.what());
  if (skipped_in_a_row_ >= skipped_limit_) throw named;
  ++skipped_in_a_row_;
  skips_ = true;
  warn("{} The update is skipped ({} in a row; run.skipped_limit allows {}).", named.what(), skipped_in_a_row_, skipped_limit_);
}

double Learner::step(double learning_rate) {
  const TraceSpan span("optimiser", SpanKind::compute);
  auto norm = std::numeric_limits<double>::quiet_NaN();
  if (!skips_) {
    try {
      norm = adam_.step(learning_rate);
      skipped_in_a_row_ = 0;
    } catch (const NumericalError& error) {
      skip(error);
    }
  }
  skips_ = false;
  average_statistics();  // the forward passes have moved them, whatever became of the update
  return norm;
}

// After every step: a checkpoint, an evaluation or a critic then finds the same statistics on all ranks, whenever it comes. One collective.
void Learner::average_statistics() {
  if (statistics_.empty() || ranks_.size() == 1) return;
  const at::NoGradGuard no_gradients;
  std::vector<Tensor> flat;
  for (const auto& [name, tensor] : statistics_) flat.push_back(tensor.flatten());
  auto sum = at::cat(flat);
  all_reduce_(sum, ranks_);
  sum.div_(ranks_.size());
  std::int64_t begin = 0;
  for (const auto& [name, tensor] : statistics_) {
    tensor.copy_(sum.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    begin += tensor.numel();
  }
}

void Learner::load(const NamedTensors& state, const Json& order, std::int64_t skipped_in_a_row) {
  adam_.load_state(state);
  skipped_in_a_row_ = skipped_in_a_row;
  reduced_.front().reducer->set_order(order.get<std::vector<std::string>>());
}

}  // namespace duet
