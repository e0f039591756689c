// What it is worth that gradients are reduced while the backward pass still runs, on a link of a given rate.
#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "benchmarks/measure.h"
#include "cluster/ranks/world.h"
#include "cluster/reducer/gradient_reducer.h"
#include "trainer/kernels/memory.h"
#include "trainer/models/backbone.h"

namespace duet {
namespace {

using Clock = std::chrono::steady_clock;

/// A communicator behind a link of fixed rate: an asynchronous all-reduce is over when the communicator has done it and the link, which
/// carries one operation after another, has had the time for its bytes. Costs no processor time, as a network card would not.
/// hold() keeps operations back until release(): the same buckets and the same code, but reduced only after the backward pass.
/// Operations may be started on a thread of the backward pass, one thread at a time.
class SlowLink : public Communicator {
 public:
  SlowLink(Communicator& to, double bytes_per_second) : to_(to), bytes_per_second_(bytes_per_second) {}

  int rank() const override { return to_.rank(); }
  int size() const override { return to_.size(); }
  const std::string& name() const override { return to_.name(); }
  bool device_memory() const override { return to_.device_memory(); }

  void hold() { holding_ = true; }
  void release() {
    holding_ = false;
    for (auto* transfer : std::exchange(held_, {})) start(*transfer);
  }

 private:
  struct Operation {
    void* data;
    std::int64_t count;
    DataType type;
    ReduceOp op;
  };

  class Transfer : public Completion {
   public:
    explicit Transfer(const Operation& what) : operation(what) {}
    void do_wait() override {
      DUET_CHECK(inner != nullptr, "an operation that was never released");
      inner->wait();
      std::this_thread::sleep_until(over);
    }
    bool done() override { return inner != nullptr && inner->done() && Clock::now() >= over; }
    double seconds() const override {
      return inner == nullptr ? 0 : std::max(inner->seconds(), std::chrono::duration<double>(over - begun).count());
    }

    Operation operation;
    std::unique_ptr<Completion> inner;
    Clock::time_point begun, over;
  };

  void start(Transfer& transfer) {
    const auto& [data, count, type, op] = transfer.operation;
    transfer.begun = Clock::now();
    const std::chrono::duration<double> carried(static_cast<double>(count * size_of(type)) / bytes_per_second_);
    transfer.over = free_at_ = std::max(transfer.begun, free_at_) + std::chrono::duration_cast<Clock::duration>(carried);
    transfer.inner = to_.all_reduce_async(data, count, type, op);
  }

  std::unique_ptr<Completion> start_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override {
    auto transfer = std::make_unique<Transfer>(Operation{data, count, type, op});
    if (holding_) {
      held_.push_back(transfer.get());  // its owner waits for it in finish(), after release()
    } else {
      start(*transfer);
    }
    return transfer;
  }
  // What the reducer agrees on is small and costs the link nothing.
  void do_all_reduce(void* data, std::int64_t count, DataType type, ReduceOp op) override { to_.all_reduce(data, count, type, op); }
  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override { to_.broadcast(data, count, type, root); }
  void do_all_gather(const void* in, void* out, std::int64_t count, DataType type) override { to_.all_gather(in, out, count, type); }
  void do_barrier() override { to_.barrier(); }

  Communicator& to_;
  double bytes_per_second_;
  bool holding_ = false;
  std::vector<Transfer*> held_;
  Clock::time_point free_at_{};
};

void measure(const BenchmarkOptions& options, World& world) {
  const auto rate = options["rate"].as<double>(), bucket = options["bucket-mebibytes"].as<double>();
  const auto images = options["images"].as<std::int64_t>(), side = options["side"].as<std::int64_t>();
  if (!(rate > 0) || !(bucket > 0) || images < 1) throw UsageError("--rate, --bucket-mebibytes and --images must be above 0.");
  const auto network = make_backbone(options["network"].as<std::string>(), BatchNormMode::frozen, {.seed = 1});
  if (side < network->smallest_side()) throw UsageError("--side is {}; this network needs {}.", side, network->smallest_side());
  const auto parameters = network->parameters();
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : parameters) bytes += tensor.numel() * 4;
  const auto input = at::rand({images, 3, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto backward = [&] { network->forward(input).square().mean().backward(); };

  const auto sizes = [&](int shares) {
    return ReducerOptions{.first_bucket_bytes = static_cast<std::int64_t>(std::min(bucket, 1.0) * (1 << 20)),
                          .bucket_bytes = static_cast<std::int64_t>(bucket * (1 << 20)),
                          .shares = shares};
  };
  const auto in_shares = sizes(ReducerOptions().shares), as_large = sizes(1);
  const auto alone = make_self_communicator();
  SlowLink link(world.gradients(), rate * 1e6);
  GradientReducer nothing_to_send(parameters, *alone, in_shares), during(parameters, link, in_shares), large(parameters, link, as_large),
      after(parameters, link, in_shares);
  const auto step_with = [&](GradientReducer& reducer) {
    reducer.arm();
    backward();
    reducer.finish();
  };
  const auto timings = measure_in_turns({{"alone",
                                          [&] {
                                            step_with(nothing_to_send);
                                            world.control().barrier();
                                          }},
                                         {"during", [&] { step_with(during); }},
                                         {"during, large buckets", [&] { step_with(large); }},
                                         {"after",
                                          [&] {
                                            link.hold();
                                            after.arm();
                                            backward();
                                            link.release();
                                            after.finish();
                                          }}},
                                        options["rounds"].as<int>());
  if (world.rank() != 0) return;

  const auto buckets_of = [](const GradientReducer& reducer) { return reducer.statistics().buckets / reducer.statistics().steps; };
  const double carried = static_cast<double>(bytes) / (rate * 1e6);
  Findings findings(fmt::format("gradient reduction: {}, {} images of {} px a rank, {} rank{} of {} thread(s), {:.1f} MB of gradients",
                                network->name(), images, side, world.size(), world.size() == 1 ? "" : "s", at::get_num_threads(),
                                static_cast<double>(bytes) * 1e-6));
  findings.add(fmt::format("the link's time for them, at {:g} MB/s", rate), carried, carried, "s");
  findings.add_seconds("step without reduction", timings[0]);
  findings.add_seconds("step, reduced after the backward pass", timings[3]);
  const auto add = [&](const std::string& what, const Timing& timing) {
    findings.add_seconds(fmt::format("step, reduced during the backward pass in {}", what), timing);
    findings.add_ratio("… over after", timings[3], timing);
    findings.add("… share of the link's time hidden", (timings[3].median() - timing.median()) / carried,
                 (timings[3].fastest() - timing.fastest()) / carried, "of 1");
  };
  add(fmt::format("{} buckets", buckets_of(during)), timings[1]);
  add(fmt::format("{} of up to {:g} MiB", buckets_of(large), bucket), timings[2]);
  findings.print(options["json"].as<bool>());
}

}  // namespace
}  // namespace duet

int main(int count, char** values) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("rate", po::value<double>()->default_value(50), "of the link, MB/s of gradients")(
      "bucket-mebibytes", po::value<double>()->default_value(25), "as cluster.bucket_mebibytes; the first is at most 1")(
      "network", po::value<std::string>()->default_value("mobilenet_v2"), "backbone: inception_v3, vgg16, mobilenet_v2 or tiny")(
      "images", po::value<std::int64_t>()->default_value(8), "a rank")("side", po::value<std::int64_t>()->default_value(128), "pixels");
  return duet::run_benchmark(
      count, values,
      "Measures a training step whose gradients are reduced during the backward pass, in training's buckets and in buckets as large as\n"
      "--bucket-mebibytes allows, against one that reduces them after it, over a simulated link. Alone, or on ranks:  tests/run_ranks.sh 2 "
      "PROGRAM",
      options, 9, [](const duet::BenchmarkOptions& parsed) {
        duet::keep_freed_memory();
        duet::World world;
        try {
          duet::measure(parsed, world);
        } catch (const duet::Error& error) {
          if (world.size() == 1) throw;
          fmt::print(stderr, "bench_reduction_overlap: rank {}: {}\n", world.rank(), error.what());
          world.abort(error);
        }
      });
}
