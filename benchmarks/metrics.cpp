// What keeping the metrics costs, beside one of the smallest steps that a training has.
#include <ATen/ATen.h>

#include <string>

#include "base/error.h"
#include "base/random.h"
#include "benchmarks/measure.h"
#include "monitoring/metrics/metrics.h"
#include "trainer/loop/run_metrics.h"
#include "trainer/models/backbone.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

constexpr int kUpdates = 1000;  // a run: one is too short for the clock

StepFigures all_quantities() {
  StepFigures figures;
  for (const auto& row : kQuantities) figures.emplace_back(row.quantity, 1);
  return figures;
}

/// Everything that a joint step updates: what RunMetrics does after it, and what reducer, readers and exchanges count meanwhile.
class Updates {
 public:
  explicit Updates(std::int64_t samples) : samples_(samples) {}

  void step() {
    run_.step(planned_, ++steps_, figures_,
              {.samples = 3 * samples_, .triplets = samples_, .photos = 2 * samples_, .pseudo_sketches = samples_}, 0.1, 0.001);
    for (int i = 0; i < kBuckets; ++i) {
      metrics().counter("duet_communication_bytes_total").add(1e6);
      metrics().counter("duet_communication_seconds_total").add(0.001);
    }
    metrics().counter("duet_communication_exposed_seconds_total").add(0.001);
    static const auto waited = metrics().counter("duet_communication_wait_seconds_total");
    static const auto read = metrics().counter("duet_read_bytes_total");
    static const auto photos = metrics().counter("duet_photos_read_total");
    for (int i = 0; i < kExchanges; ++i) waited.add(0.001);
    for (std::int64_t i = 0; i < 2 * samples_; ++i) {
      read.add(10'000);
      photos.add();
    }
  }

 private:
  static constexpr int kBuckets = 8, kExchanges = 6;
  std::int64_t samples_, steps_ = 0;
  RunMetrics run_{2, 1000, 0};
  PhaseSteps planned_{.stage = Stage::joint, .phase = PhaseName::joint_retrieval, .steps = 1000};
  StepFigures figures_ = all_quantities();
};

void measure(const BenchmarkOptions& options) {
  const auto images = options["images"].as<std::int64_t>(), side = options["side"].as<std::int64_t>();
  if (images < 1) throw UsageError("--images must be above 0.");
  const auto network = make_backbone("tiny", BatchNormMode::frozen, {.seed = 1});
  if (side < network->smallest_side()) throw UsageError("--side is {}; this network needs {}.", side, network->smallest_side());
  const auto input = at::rand({images, 3, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
  metrics().identify("benchmark", 0);
  Updates updates(images);
  std::size_t length = 0;
  const auto timings = measure_in_turns({{"step", [&] { network->forward(input).square().mean().backward(); }},
                                         {"updates",
                                          [&] {
                                            for (int i = 0; i < kUpdates; ++i) updates.step();
                                          }},
                                         {"page", [&] { length = metrics().text().size(); }}},
                                        options["rounds"].as<int>());
  const auto share = [&](double seconds, double step) { return 100 * seconds / kUpdates / step; };
  Findings findings(fmt::format("metrics: beside a forward and backward pass of the smallest backbone, {} images of {} px, {} thread(s)",
                                images, side, at::get_num_threads()));
  findings.add_seconds("the passes", timings[0]);
  findings.add("all updates of a joint step", 1e6 * timings[1].median() / kUpdates, 1e6 * timings[1].fastest() / kUpdates, "µs");
  findings.add("… in percent of the passes", share(timings[1].median(), timings[0].median()),
               share(timings[1].fastest(), timings[0].fastest()), "%");
  findings.add(fmt::format("one page of /metrics ({:.0f} KB), on another thread", static_cast<double>(length) / 1000),
               1e6 * timings[2].median(), 1e6 * timings[2].fastest(), "µs");
  findings.print(options["json"].as<bool>());
}

}  // namespace
}  // namespace duet

int main(int count, char** values) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("images", po::value<std::int64_t>()->default_value(32),
                        "of the pass, and photos and sketches of the step that is counted")(
      "side", po::value<std::int64_t>()->default_value(64), "pixels");
  return duet::run_benchmark(
      count, values,
      "Measures what updating every metric of a joint training step costs, against the forward and backward pass of the\n"
      "smallest network of the smallest preset.",
      options, 9, duet::measure);
}
