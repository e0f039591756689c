#include "trainer/phases/learner.h"

#include <cmath>

#include "monitoring/trace.h"

namespace duet {
namespace {

std::vector<std::pair<std::string, Tensor>> pairs_of(const std::vector<NamedTensor>& parameters) {
  std::vector<std::pair<std::string, Tensor>> pairs;
  for (const auto& parameter : parameters) pairs.emplace_back(parameter.name, parameter.tensor);
  return pairs;
}

ReducerOptions options_of(const ClusterConfig& cluster) {
  return {.bucket_bytes = static_cast<std::int64_t>(cluster.bucket_mebibytes * (1 << 20)),
          .transport = transport_from_name(cluster.transport)};
}

}  // namespace

void clip_gradients(const std::vector<NamedTensor>& parameters, double limit) {
  if (limit <= 0) return;
  double squares = 0;
  for (const auto& [name, tensor] : parameters) squares += tensor.grad().to(at::kDouble).square().sum().item<double>();
  const double norm = std::sqrt(squares);
  if (norm <= limit) return;
  for (const auto& [name, tensor] : parameters) tensor.grad().mul_(limit / norm);
}

Learner::Learner(std::vector<NamedTensor> parameters, Communicator& gradients, const ClusterConfig& cluster, const AdamOptions& adam)
    : parameters_(std::move(parameters)), reducer_(pairs_of(parameters_), gradients, options_of(cluster)), adam_(parameters_, adam) {}

void Learner::reduce(const Tensor& loss) {
  reducer_.arm();
  {
    const TraceSpan span("backward", SpanKind::compute);
    loss.backward();
  }
  reducer_.finish();
}

double Learner::step(double learning_rate) {
  const TraceSpan span("optimiser", SpanKind::compute);
  return adam_.step(learning_rate);
}

double Learner::apply(const Tensor& loss, double learning_rate) {
  reduce(loss);
  return step(learning_rate);
}

void Learner::load(const std::vector<NamedTensor>& state, const Json& order) {
  adam_.load_state(state);
  reducer_.set_order(order.get<std::vector<std::string>>());
}

}  // namespace duet
