#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/granted_cores.h"
#include "base/json.h"
#include "datasets/loader/throughput.h"
#include "datasets/sketch/rasterize.h"
#include "datasets/store/store.h"
#include "launch/commands/commands.h"
#include "trainer/models/draw_noise.h"
#include "trainer/models/generator.h"

namespace duet {
namespace {

namespace po = boost::program_options;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Times a second, from the fastest of the runs within `seconds` (one at least, after one that does not count): other programs on the
/// machine can only make a run slower.
double fastest_rate(double seconds, const std::function<void()>& run) {
  run();
  double fastest = 0;
  const auto start = Clock::now();
  do {
    const auto before = Clock::now();
    run();
    const double taken = seconds_since(before);
    fastest = fastest == 0 ? taken : std::min(fastest, taken);
  } while (seconds_since(start) < seconds);
  return 1 / fastest;
}

int print_figures(const ParsedOptions& options, const Json& result) {
  if (options.is_on("json")) {
    print_json(result, -1);
    return 0;
  }
  for (const auto& [name, value] : result.items()) {
    if (value.is_number_float()) {
      print("{:<22} {:.1f}\n", name, value.get<double>());
    } else {
      print("{:<22} {}\n", name, json_text(value));
    }
  }
  return 0;
}

template <typename Value>
Value at_least(const ParsedOptions& options, const std::string& name, Value least) {
  const auto value = options.get<Value>(name);
  if (value < least) throw UsageError("--{} is {}; it must be at least {}", name, value, least);
  return value;
}

void add_common(CommandLine& line, double seconds) {
  line.options.add_options()("seconds", po::value<double>()->default_value(seconds, fmt::format("{:g}", seconds)), "to measure for")(
      "json", po::bool_switch(), "print JSON");
}

int bench_decode(std::span<const std::string> args) {
  CommandLine line{.command = "bench decode",
                   .description =
                       "Measures how fast the generator draws: from the backbone's map to finished sketches, the attention's "
                       "convolution included, the backbone itself not. Weights are random, every sketch has all steps, and the "
                       "machine's matrix product is measured beside it."};
  line.options.add_options()("batch", po::value<std::int64_t>()->default_value(16), "sketches drawn at once")(
      "steps", po::value<std::int64_t>()->default_value(100), "of each sketch")(
      "backbone", po::value<std::string>()->default_value("vgg16"), "whose map is drawn from: inception_v3, vgg16, mobilenet_v2 or tiny")(
      "side", po::value<std::int64_t>()->default_value(256), "of the photos, pixels")(
      "temperature", po::value<double>()->default_value(0), "0: greedy")("threads", po::value<int>()->default_value(0),
                                                                         "0: as many as the machine has cores");
  add_common(line, 3);
  line.examples = {"duet bench decode --batch 16 --steps 100 --json", "duet bench decode --backbone mobilenet_v2 --batch 80"};
  const auto options = parse(line, args);
  const auto batch = at_least<std::int64_t>(options, "batch", 1), steps = at_least<std::int64_t>(options, "steps", 1);
  const auto temperature = at_least<double>(options, "temperature", 0), seconds = at_least<double>(options, "seconds", 0);
  const auto threads = at_least<int>(options, "threads", 0);
  if (threads > 0) at::set_num_threads(threads);

  const at::NoGradGuard guard;
  GeneratorConfig config;
  config.backbone = options.get<std::string>("backbone");
  const Generator generator(config, {.seed = 1});
  const auto side = at_least<std::int64_t>(options, "side", generator.backbone().smallest_side()) / generator.backbone().stride();
  const auto map = at::rand({batch, generator.backbone().channels(), side, side}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto z = at::randn({batch, config.latent});
  std::vector<std::int64_t> samples(batch);
  std::iota(samples.begin(), samples.end(), 0);
  const auto noise = drawing_noise(1, 0, samples, steps);
  const DrawOptions draw{.temperature = temperature, .max_steps = steps, .ignore_end = true};

  constexpr std::int64_t kSide = 2048;
  const auto left = at::rand({kSide, kSide}), right = at::rand({kSide, kSide});
  const auto products = fastest_rate(seconds / 3, [&] { at::mm(left, right); });
  const auto decodes = fastest_rate(seconds, [&] { generator.draw(map, z, draw, noise); });
  return print_figures(options, {{"sketches_per_second", decodes * static_cast<double>(batch)},
                                 {"sgemm_gflops", products * 2e-9 * kSide * kSide * kSide},
                                 {"batch", batch},
                                 {"steps", steps},
                                 {"map", {generator.backbone().channels(), side, side}},
                                 {"threads", at::get_num_threads()}});
}

int bench_raster(std::span<const std::string> args) {
  CommandLine line{.command = "bench raster",
                   .description = "Measures how fast sketches of a store become rasters of 256 × 256, on one thread, without reading them.",
                   .positionals = {{"STORE", "folder of a store with sketches"}}};
  add_common(line, 2);
  line.examples = {"duet bench raster chairs.store --json"};
  const auto options = parse(line, args);
  const auto seconds = at_least<double>(options, "seconds", 0);

  constexpr std::int64_t kMost = 4096;  // more would only take memory
  const auto path = options.argument("STORE");
  const auto view = Store::open(path)->view("all");
  std::vector<Sketch> sketches;
  for (std::int64_t i = 0; i < std::min(view.sketch_count(), kMost); ++i) {
    sketches.push_back(view.read_sketch(i).points);
    check_sketch(sketches.back(), fmt::format("{}: sketch {}", path, i));
  }
  if (sketches.empty()) throw UsageError("{}: the store has no sketches to draw", path);
  const RasterOptions raster;
  std::vector<std::uint8_t> canvas(static_cast<std::size_t>(raster.side) * static_cast<std::size_t>(raster.side));
  const auto rounds = fastest_rate(seconds, [&] {
    for (const auto& sketch : sketches) rasterize(sketch, raster, canvas);
  });
  return print_figures(
      options, {{"sketches_per_second", rounds * static_cast<double>(sketches.size())}, {"sketches", sketches.size()}, {"threads", 1}});
}

int bench_loader(std::span<const std::string> args) {
  CommandLine line{.command = "bench loader",
                   .description = "Measures how fast a store's photos are read, decoded, augmented and put into batches.",
                   .positionals = {{"STORE", "folder of a store with photos"}}};
  line.options.add_options()("threads", po::value<int>()->default_value(0), "that decode; 0: as many as the machine has cores");
  add_common(line, 3);
  line.examples = {"duet bench loader pool.store --json"};
  const auto options = parse(line, args);
  auto threads = at_least<int>(options, "threads", 0);
  if (threads == 0) threads = available_cores();
  const auto rate = loader_photos_per_second(options.argument("STORE"), at_least<double>(options, "seconds", 0), threads);
  return print_figures(options, {{"photos_per_second", rate}, {"threads", threads}});
}

}  // namespace

Command bench_command() {
  return {.name = "bench",
          .summary = "measure this machine: drawing sketches, making rasters, loading photos",
          .run =
              [](std::span<const std::string> args) {
                const std::vector<Command> parts{
                    {.name = "decode", .summary = "sketches a second that the generator draws", .run = bench_decode},
                    {.name = "raster", .summary = "sketches a second that become rasters", .run = bench_raster},
                    {.name = "loader", .summary = "photos a second that reach a batch", .run = bench_loader}};
                return run_part("bench", "Measures the parts whose speed decides how long training takes.", parts, args);
              },
          .group = "Other"};
}

}  // namespace duet
