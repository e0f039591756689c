#include "cluster/reducer/gradient_reducer.h"

#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/time.h"
#include "cluster/reducer/tensor_collectives.h"
#include "monitoring/metrics/metrics.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

constexpr std::int64_t kNobody = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kAlignmentBytes = 64;

struct Parameter {
  std::string name;
  Tensor tensor;
  Tensor gradient;  // view into its bucket
  std::size_t bucket = 0;
  int arrivals = 0;  // backward passes, of those announced, that brought a gradient
};

struct Bucket {
  std::vector<std::size_t> members;
  Tensor flat;
  std::size_t pending = 0;  // members whose last gradient is still awaited
  Tensor carried;           // what travels: `flat` itself, or its copy in the transport's format and place
  Tensor peaks;  // on a device: each member's largest magnitude before it left, read in finish() so that the backward pass is not held up
  std::unique_ptr<Completion> completion;
};

at::ScalarType carried_type(Transport transport, at::ScalarType own) {
  return transport == Transport::bf16 ? at::kBFloat16 : transport == Transport::fp16 ? at::kHalf : own;
}

bool all_finite(const Tensor& tensor) {
  // The sum is not finite when an element is not; the reverse does not hold, so look twice before accusing.
  return std::isfinite(tensor.sum().item<double>()) || at::isfinite(tensor).all().item<bool>();
}

double largest(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return 65504;
    case at::kBFloat16:
    case at::kFloat:
      return 3.3895e38;  // bfloat16's, a hair below float32's
    default:
      return std::numeric_limits<double>::max();
  }
}

}  // namespace

struct GradientReducer::State {
  std::vector<Parameter> parameters;
  Communicator& communicator;
  ReducerOptions options;
  ReducerStatistics statistics;

  std::vector<std::size_t> layout;    // order of parameters in the buckets
  std::vector<std::size_t> agreed;    // order observed in the first step; empty before
  std::vector<std::size_t> observed;  // of the step under way, on this rank
  std::vector<Bucket> buckets;
  std::size_t next_bucket = 0;        // first that has not left
  std::int64_t not_finite = kNobody;  // first parameter of this rank, as position in `parameters`
  std::int64_t overflowed = kNobody;  // first parameter whose sum over ranks left the transport's range: the same on all ranks
  int backwards = 1;
  bool armed = false;

  State(std::span<const NamedTensor> named, Communicator& to, const ReducerOptions& how);
  void lay_out(std::vector<std::size_t> order);
  void arrive(std::size_t index);
  void launch(Bucket& bucket);
  void land(Bucket& bucket);
  void agree_on_order();
  void agree_on_faults();
  void remove_hooks();
};

namespace {

struct Arrival : torch::autograd::PostAccumulateGradHook {
  std::function<void()> arrive;
  explicit Arrival(std::function<void()> what) : arrive(std::move(what)) {}
  void operator()(const Tensor&) override { arrive(); }
};

}  // namespace

GradientReducer::State::State(std::span<const NamedTensor> named, Communicator& to, const ReducerOptions& how)
    : communicator(to), options(how) {
  DUET_CHECK(!named.empty(), "a reducer without parameters");
  DUET_CHECK(options.first_bucket_bytes > 0 && options.bucket_bytes > 0 && options.shares > 0, "buckets of no size");
  const auto& first = named.front().tensor;
  std::set<std::string> names;
  for (const auto& [name, tensor] : named) {
    DUET_CHECK(names.insert(name).second, "two parameters are called '{}'", name);
    DUET_CHECK(tensor.is_leaf() && tensor.requires_grad(), "'{}' is no leaf that requires a gradient", name);
    DUET_CHECK(tensor.scalar_type() == first.scalar_type() && tensor.device() == first.device(), "'{}' differs in type or device from '{}'",
               name, named.front().name);
    DUET_CHECK(at::isFloatingType(tensor.scalar_type()) && tensor.layout() == at::kStrided, "'{}' is not dense floating point", name);
    parameters.push_back({.name = name, .tensor = tensor, .gradient = {}});
  }
  DUET_CHECK(first.is_cuda() || !communicator.device_memory(), "'{}' works on the device, the parameters lie on the host",
             communicator.name());
  // Gradients become ready from the last layer to the first: until the order has been seen, that is the best guess.
  std::vector<std::size_t> reverse(parameters.size());
  for (std::size_t i = 0; i < reverse.size(); ++i) reverse[i] = reverse.size() - 1 - i;
  lay_out(std::move(reverse));
}

void GradientReducer::State::lay_out(std::vector<std::size_t> order) {
  layout = std::move(order);
  buckets.clear();
  const auto& options_of_tensors = parameters.front().tensor.options().requires_grad(false);
  const auto element = static_cast<std::int64_t>(parameters.front().tensor.element_size());
  const auto alignment = kAlignmentBytes / element;
  std::int64_t total = 0;
  for (const auto& parameter : parameters) total += parameter.tensor.numel() * element;
  const auto share = std::max(total / options.shares, ReducerOptions::kSmallestShare);
  std::vector<std::int64_t> offset(parameters.size()), length;
  for (const auto index : layout) {
    const auto limit = std::min(share, buckets.size() <= 1 ? options.first_bucket_bytes : options.bucket_bytes);
    const auto needed = (parameters[index].tensor.numel() + alignment - 1) / alignment * alignment;
    if (buckets.empty() || (length.back() > 0 && (length.back() + needed) * element > limit)) {
      buckets.emplace_back();
      length.push_back(0);
    }
    offset[index] = length.back();
    length.back() += needed;
    buckets.back().members.push_back(index);
    parameters[index].bucket = buckets.size() - 1;
  }
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    auto& bucket = buckets[b];
    bucket.flat = at::zeros({length[b]}, options_of_tensors);
    for (const auto index : bucket.members) {
      auto& parameter = parameters[index];
      const auto& tensor = parameter.tensor;
      // In the parameter's own layout (channels-last weights), as autograd and the optimiser want it.
      parameter.gradient = tensor.is_non_overlapping_and_dense()
                               ? bucket.flat.as_strided(tensor.sizes(), tensor.strides(), offset[index])
                               : bucket.flat.narrow(0, offset[index], tensor.numel()).view(tensor.sizes());
    }
    const auto type = carried_type(options.transport, bucket.flat.scalar_type());
    const bool to_host = bucket.flat.is_cuda() && !communicator.device_memory();
    bucket.carried = bucket.flat;
    if (to_host) {
      bucket.carried = at::empty({length[b]}, at::TensorOptions().dtype(type).pinned_memory(true));
    } else if (type != bucket.flat.scalar_type()) {
      bucket.carried = at::empty({length[b]}, bucket.flat.options().dtype(type));
    }
  }
}

void GradientReducer::State::arrive(std::size_t index) {
  auto& parameter = parameters[index];
  DUET_CHECK(parameter.tensor.grad().defined() && parameter.tensor.grad().data_ptr() == parameter.gradient.data_ptr(),
             "the gradient of '{}' was replaced while its reducer was armed (set to undefined, or a backward pass with create_graph)",
             parameter.name);
  DUET_CHECK(parameter.arrivals < backwards, "'{}' got more gradients than the {} backward pass(es) that arm() was told", parameter.name,
             backwards);
  if (++parameter.arrivals < backwards) return;
  observed.push_back(index);
  --buckets[parameter.bucket].pending;
  // Always in the order of buckets: the ranks' gradients may become ready in different orders.
  while (next_bucket < buckets.size() && buckets[next_bucket].pending == 0) {
    launch(buckets[next_bucket++]);
    ++statistics.buckets_during_backward;
  }
}

void GradientReducer::State::launch(Bucket& bucket) {
  TraceSpan span("send bucket", SpanKind::compute);
  span.with("bytes", static_cast<std::int64_t>(bucket.carried.nbytes()));
  const at::NoGradGuard no_grad;
  if (bucket.carried.data_ptr() != bucket.flat.data_ptr()) bucket.carried.copy_(bucket.flat);
  if (bucket.carried.is_cuda()) {
    std::vector<Tensor> gradients;
    for (const auto index : bucket.members) gradients.push_back(parameters[index].gradient);
    bucket.peaks = at::stack(at::_foreach_norm(gradients, std::numeric_limits<double>::infinity()));
  } else if (not_finite == kNobody && !all_finite(bucket.carried)) {
    not_finite = *std::ranges::find_if(
        bucket.members, [&](auto index) { return !all_finite(parameters[index].gradient.to(at::kCPU, bucket.carried.scalar_type())); });
  }
  // Sent all the same: the other ranks wait for it, and learn in finish() whose fault it is.
  bucket.completion = communicator.all_reduce_async(bucket.carried.data_ptr(), bucket.carried.numel(), data_type_of(bucket.carried));
  ++statistics.buckets;
  const auto bytes = bucket.carried.numel() * static_cast<std::int64_t>(bucket.carried.element_size());
  statistics.bytes += bytes;
  metrics().counter("duet_communication_bytes_total").add(static_cast<double>(bytes));
}

void GradientReducer::State::land(Bucket& bucket) {
  const at::NoGradGuard no_grad;
  bucket.completion->wait();
  const auto seconds = bucket.completion->seconds();
  statistics.seconds_in_flight += seconds;
  metrics().counter("duet_communication_seconds_total").add(seconds);
  bucket.completion.reset();
  if (bucket.peaks.defined() && not_finite == kNobody) {
    const auto peaks = bucket.peaks.to(at::kCPU, at::kDouble);
    for (std::size_t i = 0; i < bucket.members.size() && not_finite == kNobody; ++i) {
      // Written so that NaN counts as well.
      if (!(peaks[static_cast<std::int64_t>(i)].item<double>() <= largest(bucket.carried.scalar_type())))
        not_finite = static_cast<std::int64_t>(bucket.members[i]);
    }
  }
  if (bucket.carried.data_ptr() == bucket.flat.data_ptr()) return;
  bucket.flat.copy_(bucket.carried);
  if (options.transport != Transport::native && overflowed == kNobody && !all_finite(bucket.carried)) {
    overflowed = *std::ranges::find_if(bucket.members, [&](auto index) { return !all_finite(parameters[index].gradient); });
  }
}

void GradientReducer::State::agree_on_faults() {
  const auto count = static_cast<std::int64_t>(parameters.size());
  const auto rank = static_cast<std::int64_t>(communicator.rank());
  std::int64_t missing = kNobody;
  for (std::int64_t i = 0; i < count && missing == kNobody; ++i) {
    if (parameters[i].arrivals == 0) missing = i;
  }
  // The lowest rank's fault counts; rank and parameter travel as one number.
  const auto code = [&](std::int64_t index) { return index == kNobody ? kNobody : rank * count + index; };
  auto faults = at::empty({2}, at::kLong);
  faults[0] = code(missing);
  faults[1] = code(not_finite);
  if (communicator.device_memory()) faults = faults.to(parameters.front().tensor.device());
  all_reduce_(faults, communicator, ReduceOp::min);
  const auto agreed_missing = faults[0].item<std::int64_t>(), agreed_not_finite = faults[1].item<std::int64_t>();
  const auto name = [&](std::int64_t fault) { return parameters[fault % count].name; };
  if (agreed_missing != kNobody) {
    throw InternalError("rank {}: parameter '{}' got no gradient, though its reducer was armed: it is no part of the loss of this step.",
                        agreed_missing / count, name(agreed_missing));
  }
  if (agreed_not_finite != kNobody) {
    throw NumericalError("rank {}: the gradient of '{}' is not finite{}. Lower the learning rate.", agreed_not_finite / count,
                         name(agreed_not_finite),
                         options.transport == Transport::native ? "" : " in the number format of cluster.transport");
  }
  if (overflowed != kNobody) {
    throw NumericalError("the sum over ranks of the gradient of '{}' leaves the number format of cluster.transport. Use bf16 or native.",
                         parameters[overflowed].name);
  }
}

void GradientReducer::State::agree_on_order() {
  // A parameter that missed a pass of several comes last.
  for (const auto index : layout) {
    if (std::ranges::find(observed, index) == observed.end()) observed.push_back(index);
  }
  auto order = at::empty({static_cast<std::int64_t>(parameters.size())}, at::kLong);
  for (std::size_t i = 0; i < observed.size(); ++i) order[static_cast<std::int64_t>(i)] = static_cast<std::int64_t>(observed[i]);
  if (communicator.device_memory()) order = order.to(parameters.front().tensor.device());
  broadcast_(order, communicator, 0);
  order = order.to(at::kCPU);
  const auto* first = order.const_data_ptr<std::int64_t>();
  agreed.assign(first, first + order.numel());
}

void GradientReducer::State::remove_hooks() {
  for (auto& parameter : parameters) torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, nullptr);
  armed = false;
}

GradientReducer::GradientReducer(std::span<const NamedTensor> parameters, Communicator& communicator, const ReducerOptions& options)
    : state_(std::make_unique<State>(parameters, communicator, options)) {}

GradientReducer::~GradientReducer() {
  disarm();
  for (auto& parameter : state_->parameters) {
    auto& gradient = parameter.tensor.mutable_grad();
    if (gradient.defined() && gradient.data_ptr() == parameter.gradient.data_ptr()) gradient.reset();
  }
}

void GradientReducer::arm(int backwards) {
  auto& s = *state_;
  DUET_CHECK(!s.armed, "arm() of a reducer that is armed already");
  DUET_CHECK(backwards >= 1, "{} backward passes", backwards);
  const at::NoGradGuard no_grad;
  if (!s.agreed.empty() && s.layout != s.agreed) s.lay_out(s.agreed);
  s.backwards = backwards;
  s.next_bucket = 0;
  s.not_finite = s.overflowed = kNobody;
  s.observed.clear();
  for (auto& bucket : s.buckets) {
    bucket.flat.zero_();
    bucket.pending = bucket.members.size();
  }
  // Hooks are set anew each time: another reducer may have had the same parameter since.
  for (std::size_t i = 0; i < s.parameters.size(); ++i) {
    auto& parameter = s.parameters[i];
    parameter.arrivals = 0;
    parameter.tensor.mutable_grad() = parameter.gradient;
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.tensor, std::make_unique<Arrival>([&s, i] { s.arrive(i); }));
  }
  s.armed = true;
}

void GradientReducer::finish() {
  auto& s = *state_;
  DUET_CHECK(s.armed, "finish() of a reducer that is not armed");
  s.remove_hooks();
  const TraceSpan span(kGradientWait, SpanKind::communication);
  const Stopwatch waiting;
  while (s.next_bucket < s.buckets.size()) s.launch(s.buckets[s.next_bucket++]);
  for (auto& bucket : s.buckets) s.land(bucket);
  s.agree_on_faults();
  if (s.agreed.empty()) s.agree_on_order();
  const auto exposed = waiting.seconds();
  s.statistics.seconds_waited += exposed;
  metrics().counter("duet_communication_exposed_seconds_total").add(exposed);
  ++s.statistics.steps;
}

void GradientReducer::disarm() {
  auto& s = *state_;
  if (!s.armed) return;
  s.remove_hooks();
  for (auto& bucket : s.buckets) {
    if (!bucket.completion) continue;
    try {
      bucket.completion->wait();  // its buffer must stay until then
    } catch (const Error&) {
      // The caller is on its way out because of an error already.
    }
    bucket.completion.reset();
  }
}

std::vector<std::string> GradientReducer::order() const {
  std::vector<std::string> names;
  for (const auto index : state_->agreed) names.push_back(state_->parameters[index].name);
  return names;
}

void GradientReducer::set_order(const std::vector<std::string>& names) {
  auto& s = *state_;
  DUET_CHECK(!s.armed, "set_order() of a reducer that is armed");
  s.agreed.clear();
  if (names.empty()) return;
  std::map<std::string, std::size_t> index_of;
  for (std::size_t i = 0; i < s.parameters.size(); ++i) index_of[s.parameters[i].name] = i;
  std::vector<std::size_t> order;
  for (const auto& name : names) {
    const auto found = index_of.find(name);
    if (found == index_of.end()) throw DataError("order of gradients: '{}' is no parameter of this network, or named twice.", name);
    order.push_back(found->second);
    index_of.erase(found);
  }
  if (!index_of.empty()) throw DataError("order of gradients: parameter '{}' is missing.", index_of.begin()->first);
  s.agreed = std::move(order);
}

const ReducerStatistics& GradientReducer::statistics() const { return state_->statistics; }

}  // namespace duet
