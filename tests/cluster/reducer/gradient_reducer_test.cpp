#include "cluster/reducer/gradient_reducer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "cluster/reducer/tensor_collectives.h"
#include "tests/rank_world.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::ElementsAreArray;
using testing::HasSubstr;

Tensor noise(std::vector<std::int64_t> shape, std::uint64_t stream, at::ScalarType type = at::kDouble) {
  auto tensor = at::empty(shape, at::kDouble);
  auto* values = tensor.data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) values[i] = KeyedRandom(5, Purpose::test, stream, i).normal();
  return tensor.to(type);
}

/// A convolution and three linear layers; weights of the convolution in channels-last layout.
struct Network {
  std::vector<NamedTensor> parameters;
  at::ScalarType type;

  explicit Network(at::ScalarType dtype = at::kDouble, std::uint64_t seed = 1) : type(dtype) {
    add("conv.weight", noise({6, 3, 3, 3}, seed * 10 + 1, type).contiguous(at::MemoryFormat::ChannelsLast) * 0.3);
    add("conv.bias", noise({6}, seed * 10 + 2, type));
    add("first.weight", noise({40, 6}, seed * 10 + 3, type) * 0.4);
    add("second.weight", noise({7, 40}, seed * 10 + 4, type) * 0.2);
    add("last.weight", noise({1, 7}, seed * 10 + 5, type) * 0.4);
  }
  void add(const std::string& name, const Tensor& value) { parameters.push_back({name, value.detach().requires_grad_(true)}); }
  const Tensor& at(const std::string& name) const {
    for (const auto& [other, tensor] : parameters) {
      if (other == name) return tensor;
    }
    throw InternalError("no {}", name);
  }

  /// The rows' share of the mean over `global_rows` of a loss a row.
  Tensor loss(const Tensor& images, std::int64_t global_rows) const {
    auto hidden = at::conv2d(images, at("conv.weight"), at("conv.bias")).tanh().mean({2, 3});
    hidden = at::linear(hidden, at("first.weight")).tanh();
    hidden = at::linear(hidden, at("second.weight")).tanh();
    return at::linear(hidden, at("last.weight")).exp().sum() / static_cast<double>(global_rows);
  }
  std::map<std::string, Tensor> gradients() const {
    std::map<std::string, Tensor> copies;
    for (const auto& [name, tensor] : parameters) copies[name] = tensor.grad().clone();
    return copies;
  }
};

constexpr std::int64_t kRows = 8;
constexpr ReducerOptions kSmallBuckets{.first_bucket_bytes = 64, .bucket_bytes = 1024};

Tensor images_of(int step, at::ScalarType type = at::kDouble) { return noise({kRows, 3, 6, 6}, 100 + step, type); }
Tensor own_rows(const Tensor& rows) {
  const auto& control = test_world().control();
  const auto share = rows.size(0) / control.size();
  return rows.narrow(0, control.rank() * share, share);
}

std::map<std::string, Tensor> gradients_of_one_rank(at::ScalarType type, const Tensor& images, std::uint64_t seed = 1) {
  const Network network(type, seed);
  network.loss(images, kRows).backward();
  return network.gradients();
}

double worst_difference(const std::map<std::string, Tensor>& left, const std::map<std::string, Tensor>& right) {
  double worst = 0;
  for (const auto& [name, tensor] : left)
    worst = std::max(worst, (tensor.to(at::kDouble) - right.at(name).to(at::kDouble)).abs().max().item<double>());
  return worst;
}

template <typename ErrorType>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no such error";
}

TEST(GradientReducer, RanksTogetherComputeTheGradientOfOneBigBatch) {
  for (const auto& options : {ReducerOptions{}, kSmallBuckets}) {
    const Network network;
    GradientReducer reducer(network.parameters, test_world().gradients(), options);
    for (int step = 0; step < 3; ++step) {  // the order of buckets changes after the first
      const auto images = images_of(step);
      reducer.arm();
      network.loss(own_rows(images), kRows).backward();
      reducer.finish();
      EXPECT_LT(worst_difference(network.gradients(), gradients_of_one_rank(at::kDouble, images)), 1e-14) << "step " << step;
    }
    EXPECT_EQ(reducer.statistics().steps, 3);
    EXPECT_EQ(reducer.statistics().buckets, reducer.statistics().buckets_during_backward);
  }
}

TEST(GradientReducer, ASmallNetworkTravelsInSharesAndATinyOneAtOnce) {
  const auto buckets_of = [](std::int64_t parameters, std::int64_t kibibytes, int shares) {
    std::vector<NamedTensor> named;
    auto loss = at::zeros({});
    for (std::int64_t i = 0; i < parameters; ++i) {
      named.push_back({fmt::format("p{}", i), at::ones({kibibytes * 256}).requires_grad_(true)});
      loss = loss + named.back().tensor.sum();
    }
    GradientReducer reducer(named, test_world().gradients(), {.shares = shares});
    reducer.arm();
    loss.backward();
    reducer.finish();
    EXPECT_EQ(named.front().tensor.grad()[0].item<float>(), static_cast<float>(test_world().size()));
    return reducer.statistics().buckets;
  };
  EXPECT_EQ(buckets_of(16, 512, 8), 8);
  EXPECT_EQ(buckets_of(16, 512, 1), 2) << "1 MiB, and all the rest in 25 MiB";
  EXPECT_EQ(buckets_of(16, 8, 8), 1) << "shares of 16 KiB would cost more than they hide";
}

TEST(GradientReducer, GradientsGoWithTheirReducer) {
  const Network network;
  const auto once = [&] {
    GradientReducer reducer(network.parameters, test_world().gradients());
    reducer.arm();
    network.loss(own_rows(images_of(0)), kRows).backward();
    reducer.finish();
    EXPECT_TRUE(network.parameters.front().tensor.grad().defined());
  };
  once();
  for (const auto& [name, tensor] : network.parameters) EXPECT_FALSE(tensor.grad().defined()) << name;
  once();
}

TEST(GradientReducer, Float32EqualsAnAllReduceOfEachParameter) {
  const auto images = images_of(0, at::kFloat);
  const Network plain(at::kFloat), reduced(at::kFloat);
  plain.loss(own_rows(images), kRows).backward();
  auto oracle = plain.gradients();
  for (auto& [name, gradient] : oracle) all_reduce_(gradient, test_world().statistics());
  GradientReducer reducer(reduced.parameters, test_world().gradients(), kSmallBuckets);
  reducer.arm();
  reduced.loss(own_rows(images), kRows).backward();
  reducer.finish();
  EXPECT_LT(worst_difference(reduced.gradients(), oracle), 2e-6);
}

/// Passes everything on and notes when an all_reduce is handed over.
class Recorder : public Communicator {
 public:
  Recorder(Communicator& to, std::vector<std::string>& events) : to_(to), events_(events) {}
  int rank() const override { return to_.rank(); }
  int size() const override { return to_.size(); }
  const std::string& name() const override { return to_.name(); }
  bool device_memory() const override { return false; }
  std::vector<std::int64_t> counts;  ///< elements of each bucket handed over

 private:
  std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override {
    events_.push_back("bucket");
    counts.push_back(count);
    return to_.all_reduce_async(data, count, type, op);
  }
  void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override { to_.all_reduce(data, count, type, op); }
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override { to_.broadcast(data, count, type, root); }
  void do_all_gather(const void* in, void* out, std::int64_t count, DataType type) override { to_.all_gather(in, out, count, type); }
  void do_barrier() override { to_.barrier(); }
  Communicator& to_;
  std::vector<std::string>& events_;
};

TEST(GradientReducer, TheFirstBucketLeavesBeforeTheLastGradientIsThere) {
  std::vector<std::string> events;
  Recorder recorder(test_world().gradients(), events);
  const Network network;
  for (const auto& [name, tensor] : network.parameters) {
    tensor.register_hook([&events, label = name](const Tensor& gradient) {
      events.push_back(label);  // before it is accumulated
      return gradient;
    });
  }
  GradientReducer reducer(network.parameters, recorder, {.first_bucket_bytes = 64, .bucket_bytes = 64});
  for (int step = 0; step < 2; ++step) {
    events.clear();
    reducer.arm();
    network.loss(own_rows(images_of(step)), kRows).backward();
    reducer.finish();
    const auto at = [&](const std::string& event) { return std::find(events.begin(), events.end(), event) - events.begin(); };
    EXPECT_LT(at("bucket"), at("second.weight")) << "step " << step;
    EXPECT_LT(at("bucket"), at("conv.weight")) << "step " << step;
    EXPECT_EQ(std::count(events.begin(), events.end(), "bucket"), 5);
  }
}

TEST(GradientReducer, GradientsKeepTheLayoutOfTheirParameters) {
  const Network network;
  GradientReducer reducer(network.parameters, test_world().gradients());
  reducer.arm();
  const auto* before = network.at("conv.weight").grad().data_ptr();
  network.loss(own_rows(images_of(0)), kRows).backward();
  reducer.finish();
  EXPECT_EQ(network.at("conv.weight").grad().data_ptr(), before) << "gradients must stay views of their bucket";
  EXPECT_EQ(network.at("conv.weight").grad().strides(), network.at("conv.weight").strides());
  EXPECT_TRUE(network.at("conv.weight").is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(GradientReducer, SixteenBitTransportsStayWithinTheirRounding) {
  const auto images = images_of(0, at::kFloat);
  struct Case {
    Transport transport;
    double unit;
  };
  for (const auto [transport, unit] : {Case{Transport::bf16, 0x1p-8}, Case{Transport::fp16, 0x1p-11}}) {
    const Network network(at::kFloat), plain(at::kFloat);
    plain.loss(own_rows(images), kRows).backward();
    GradientReducer reducer(network.parameters, test_world().gradients(), {.transport = transport});
    reducer.arm();
    network.loss(own_rows(images), kRows).backward();
    reducer.finish();
    double largest_error = 0;
    for (const auto& [name, own] : plain.gradients()) {
      auto exact = own.to(at::kDouble), magnitude = exact.abs();
      all_reduce_(exact, test_world().statistics());
      all_reduce_(magnitude, test_world().statistics());
      // One rounding before sending and one an addition; half-precision subnormals add an absolute part.
      const auto bound = magnitude * (test_world().size() * unit * 1.02) + 0x1p-22;
      const auto error = (network.at(name).grad().to(at::kDouble) - exact).abs();
      EXPECT_TRUE((error <= bound).all().item<bool>()) << name;
      largest_error = std::max(largest_error, error.max().item<double>());
    }
    EXPECT_GT(largest_error, 0) << "nothing was rounded: the transport was not used";
    EXPECT_EQ(reducer.statistics().bytes % 2, 0);
  }
}

TEST(GradientReducer, SeveralBackwardPassesAccumulate) {
  const Network network;
  GradientReducer reducer(network.parameters, test_world().gradients(), kSmallBuckets);
  for (int step = 0; step < 2; ++step) {
    const auto first = images_of(2 * step), second = images_of(2 * step + 1);
    reducer.arm(2);
    network.loss(own_rows(first), kRows).backward();
    EXPECT_EQ(reducer.statistics().buckets_during_backward, step * reducer.statistics().buckets)
        << "nothing may leave before the last pass";
    network.loss(own_rows(second), kRows).backward();
    reducer.finish();
    auto expected = gradients_of_one_rank(at::kDouble, first);
    for (const auto& [name, gradient] : gradients_of_one_rank(at::kDouble, second)) expected[name] += gradient;
    EXPECT_LT(worst_difference(network.gradients(), expected), 1e-14);
  }
  reducer.arm(1);
  network.loss(own_rows(images_of(0)), kRows).backward();
  EXPECT_THAT(message_of<InternalError>([&] { network.loss(own_rows(images_of(0)), kRows).backward(); }),
              HasSubstr("more gradients than the 1 backward pass(es)"));
  reducer.disarm();
}

TEST(GradientReducer, AParameterWithoutGradientIsNamedOnAllRanks) {
  const int guilty = test_world().size() - 1;
  const Network network;
  GradientReducer reducer(network.parameters, test_world().gradients(), kSmallBuckets);
  reducer.arm();
  auto loss = network.loss(own_rows(images_of(0)), kRows);
  if (test_world().rank() == guilty) loss = at::linear(own_rows(images_of(0)).flatten(1).narrow(1, 0, 7), network.at("last.weight")).sum();
  loss.backward();
  EXPECT_THAT(message_of<InternalError>([&] { reducer.finish(); }),
              HasSubstr(fmt::format("rank {}: parameter 'conv.weight' got no gradient", guilty)));
  reducer.arm();  // and the reducer is fit for the next step
  network.loss(own_rows(images_of(1)), kRows).backward();
  reducer.finish();
  EXPECT_LT(worst_difference(network.gradients(), gradients_of_one_rank(at::kDouble, images_of(1))), 1e-14);
}

TEST(GradientReducer, AGradientThatIsNotFiniteIsNamedOnAllRanks) {
  const int guilty = test_world().size() - 1;
  for (const double poison : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const Network network;
    GradientReducer reducer(network.parameters, test_world().gradients(), kSmallBuckets);
    network.at("second.weight").register_hook([&](const Tensor& gradient) {
      auto changed = gradient.clone();
      if (test_world().rank() == guilty) changed[3][5] = poison;
      return changed;
    });
    reducer.arm();
    network.loss(own_rows(images_of(0)), kRows).backward();
    EXPECT_THAT(message_of<NumericalError>([&] { reducer.finish(); }),
                HasSubstr(fmt::format("rank {}: the gradient of 'second.weight' is not finite", guilty)));
  }
}

TEST(GradientReducer, WhatOverflowsInTheTransportIsAnError) {
  const int ranks = test_world().size();
  const auto reduce = [&](double value) {
    std::vector<NamedTensor> parameters{{"weight", at::zeros({5}, at::kFloat).requires_grad_(true)}};
    GradientReducer reducer(parameters, test_world().gradients(), {.transport = Transport::fp16});
    reducer.arm();
    (parameters[0].tensor * value).sum().backward();
    reducer.finish();
    return parameters[0].tensor.grad()[0].item<double>();
  };
  EXPECT_EQ(reduce(16000), 16000 * ranks);
  EXPECT_THAT(message_of<NumericalError>([&] { reduce(70000); }),
              AllOf(HasSubstr("rank 0"), HasSubstr("'weight'"), HasSubstr("cluster.transport")));
  if (ranks > 1) {
    EXPECT_THAT(message_of<NumericalError>([&] { reduce(40000); }), AllOf(HasSubstr("sum over ranks"), HasSubstr("'weight'")));
  }
}

/// A loss that uses independent parameters; their gradients become ready in the order opposite to use.
Tensor use_in_order(const std::vector<Tensor>& parameters, const std::vector<int>& order) {
  auto sum = at::zeros({}, at::kDouble);
  for (const int index : order) sum = sum + (parameters[index] * (sum.detach() + index + 1.5)).sum();
  return sum;
}

TEST(GradientReducer, TheOrderOfTheFirstBackwardOfRankZeroHoldsForAllAndCanBeRestored) {
  std::vector<NamedTensor> named;
  std::vector<Tensor> parameters;
  for (int i = 0; i < 4; ++i) {
    parameters.push_back(noise({8 * (i + 1)}, 50 + i).requires_grad_(true));  // whole cache lines: buckets are told apart by size
    named.push_back({fmt::format("p{}", i), parameters.back()});
  }
  const std::vector<int> own = test_world().rank() == 0 ? std::vector{3, 0, 2, 1} : std::vector{0, 1, 2, 3};
  const auto step = [&](GradientReducer& reducer) {
    reducer.arm();
    use_in_order(parameters, own).backward();
    reducer.finish();
    std::vector<Tensor> gradients;
    for (const auto& parameter : parameters) gradients.push_back(parameter.grad().clone());
    return gradients;
  };
  std::vector<std::string> events;
  Recorder recorder(test_world().gradients(), events);
  GradientReducer reducer(named, recorder, {.first_bucket_bytes = 1, .bucket_bytes = 1});
  EXPECT_TRUE(reducer.order().empty());
  step(reducer);
  EXPECT_THAT(recorder.counts, testing::ElementsAre(32, 24, 16, 8)) << "reverse declaration order at first";
  recorder.counts.clear();
  EXPECT_THAT(reducer.order(), ElementsAreArray({"p1", "p2", "p0", "p3"}));
  const auto straight = step(reducer);
  EXPECT_THAT(recorder.counts, testing::ElementsAre(16, 24, 8, 32)) << "then the order that was seen";
  EXPECT_THAT(reducer.order(), ElementsAreArray({"p1", "p2", "p0", "p3"})) << "agreed once";

  GradientReducer resumed(named, test_world().gradients(), {.first_bucket_bytes = 1, .bucket_bytes = 1});
  resumed.set_order(reducer.order());
  const auto continued = step(resumed);
  for (std::size_t i = 0; i < straight.size(); ++i) EXPECT_TRUE(straight[i].equal(continued[i])) << i;
  EXPECT_THAT(resumed.order(), ElementsAreArray(reducer.order()));

  EXPECT_THROW(resumed.set_order({"p0", "p1", "p2", "other"}), DataError);
  EXPECT_THROW(resumed.set_order({"p0", "p1", "p2", "p2"}), DataError);
  EXPECT_THROW(resumed.set_order({"p0", "p1", "p2"}), DataError);
}

TEST(GradientReducer, BucketsLeaveInOneOrderThoughGradientsDoNot) {
  std::vector<std::string> events;
  std::vector<NamedTensor> named;
  std::vector<Tensor> parameters;
  for (int i = 0; i < 4; ++i) {
    parameters.push_back(noise({3 + i}, 60 + i).requires_grad_(true));
    named.push_back({fmt::format("p{}", i), parameters.back()});
  }
  GradientReducer reducer(named, test_world().gradients(), {.first_bucket_bytes = 1, .bucket_bytes = 1});
  for (int step = 0; step < 3; ++step) {
    std::vector<int> order{0, 1, 2, 3};
    std::rotate(order.begin(), order.begin() + (test_world().rank() + step) % 4, order.end());
    reducer.arm();
    auto loss = at::zeros({}, at::kDouble);
    for (const int index : order) loss = loss + (parameters[index] * (index + 1.0)).sum();
    loss.backward();
    reducer.finish();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE((parameters[i].grad() == (i + 1.0) * test_world().size()).all().item<bool>()) << i;
  }
}

TEST(GradientReducer, TwoNetworksTakeTurnsAndMayShareParameters) {
  const Network left(at::kDouble, 1), right(at::kDouble, 2);
  GradientReducer of_left(left.parameters, test_world().gradients(), kSmallBuckets);
  GradientReducer of_right(right.parameters, test_world().gradients());
  GradientReducer of_last_layer(std::vector<NamedTensor>{{"last.weight", left.at("last.weight")}}, test_world().gradients());
  for (int step = 0; step < 3; ++step) {
    const auto images = images_of(step);
    of_left.arm();
    of_right.arm();
    left.loss(own_rows(images), kRows).backward();
    right.loss(own_rows(images), kRows).backward();
    of_right.finish();
    of_left.finish();
    EXPECT_LT(worst_difference(left.gradients(), gradients_of_one_rank(at::kDouble, images, 1)), 1e-14);
    EXPECT_LT(worst_difference(right.gradients(), gradients_of_one_rank(at::kDouble, images, 2)), 1e-14);
    of_last_layer.arm();
    left.loss(own_rows(images), kRows).backward();
    of_last_layer.finish();
    const auto expected = gradients_of_one_rank(at::kDouble, images, 1).at("last.weight");
    EXPECT_LT((left.at("last.weight").grad() - expected).abs().max().item<double>(), 1e-14);
  }
}

}  // namespace
}  // namespace duet
