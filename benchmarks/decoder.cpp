// The generator's decoder against the published code's form of it: the attention's convolution inside the time loop, and autograd over
// every step.
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "benchmarks/measure.h"
#include "trainer/kernels/memory.h"
#include "trainer/models/draw_noise.h"
#include "trainer/models/generator.h"
#include "trainer/models/plain_drawing.h"

namespace duet {
namespace {

/// A generator's weights by name, for computing what it does in other ways.
struct Weights {
  explicit Weights(const Generator& generator) {
    for (const auto& [name, tensor] : generator.parameters()) by_name[name] = tensor;
  }
  const Tensor& at(const std::string& name) const { return by_name.at(name); }

  DecoderWeights decoder() const {
    return {
        at("attention.state.weight"), at("attention.state.bias"), at("attention.score.weight"), at("lstm.weight_ih"), at("lstm.weight_hh"),
        at("lstm.bias_ih"),           at("lstm.bias_hh")};
  }
  OutputWeights output() const { return {at("output.weight"), at("output.bias")}; }
  DecoderState start(const Tensor& z) const {
    const auto state = at::linear(z, at("initial_state.weight"), at("initial_state.bias")).tanh().chunk(2, 1);
    return {state[0], state[1]};
  }
  /// The attention's convolution.
  DecoderPhotos photos(const Tensor& map) const {
    const auto positions_last = [](const Tensor& x) { return x.permute({0, 2, 3, 1}).flatten(1, 2).contiguous(); };
    const auto keys = at::conv2d(map, at("attention.convolution.weight"), at("attention.convolution.bias"), 1, 1);
    return {positions_last(map), positions_last(keys)};
  }

  std::map<std::string, Tensor> by_name;
};

/// Greedy drawing of `steps` steps as the published code does it: everything the attention needs is computed at each step.
Tensor draw_with_convolution_each_step(const Weights& weights, const Tensor& map, const Tensor& z, std::int64_t steps) {
  const at::NoGradGuard guard;
  auto state = weights.start(z);
  auto point = at::zeros({map.size(0), 5}, map.options());
  point.select(1, 2).fill_(1);
  std::vector<Tensor> offsets;
  for (std::int64_t t = 0; t < steps; ++t) {
    state = decoder_step(weights.photos(map), state, point, weights.decoder());
    auto distribution = split_mixture(at::linear(state.hidden, weights.output().weight, weights.output().bias));
    distribution.pen = distribution.pen.narrow(-1, 0, 2);
    const auto step = greedy_step(distribution);
    offsets.push_back(step.offset);
    point = at::cat({step.offset, at::one_hot(step.pen, 3).to(step.offset.scalar_type())}, 1);
  }
  return at::stack(offsets, 1);
}

/// The ways must agree, else a comparison of their speed means nothing. `tolerance` is relative to the largest value.
void check_agreement(const Tensor& one, const Tensor& other, double tolerance, const std::string& what) {
  const double difference = (one - other).abs().max().item<double>() / other.abs().max().item<double>();
  if (!(difference <= tolerance)) throw NumericalError("{}: the ways differ by {:.2g}, more than {:g}.", what, difference, tolerance);
}

void measure_drawing(const BenchmarkOptions& options) {
  constexpr std::int64_t kPhotos = 16, kSteps = 100, kProduct = 2048;
  const at::NoGradGuard guard;
  GeneratorConfig config;
  config.backbone = "vgg16";
  const Generator generator(config, {.seed = 1});
  const Weights weights(generator);
  const auto map = at::rand({kPhotos, generator.backbone().channels(), 8, 8}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto z = at::randn({kPhotos, config.latent});
  const DrawOptions draw{.max_steps = kSteps, .ignore_end = true};
  const auto left = at::rand({kProduct, kProduct}), right = at::rand({kProduct, kProduct});

  // Rounding grows over the steps, and a choice that flips ends the comparison: the first steps must agree.
  const auto first_steps = [](const Tensor& offsets) { return offsets.narrow(1, 0, 5); };
  const auto ours = first_steps(generator.draw(map, z, draw, {}).offsets);
  check_agreement(ours, first_steps(draw_with_convolution_each_step(weights, map, z, 5)), 1e-3, "drawing");
  const auto timings = measure_in_turns(
      {{"product", [&] { at::mm(left, right); }},
       {"kernel", [&] { generator.draw(map, z, draw, {}); }},
       {"plain", [&] { draw_plain(weights.photos(map), weights.start(z), weights.decoder(), weights.output(), draw, {}); }},
       {"published", [&] { draw_with_convolution_each_step(weights, map, z, kSteps); }}},
      options["rounds"].as<int>());
  Findings findings(fmt::format("decoder, drawing: {} photos, {} steps, 8×8×{} map, attention {}, hidden {}, {} threads", kPhotos, kSteps,
                                generator.backbone().channels(), config.attention, config.hidden, at::get_num_threads()));
  findings.add_rate("this machine's product of 2048² floats", timings[0], 2e-9 * kProduct * kProduct * kProduct, "GFLOP/s");
  findings.add_rate("convolution once, own kernel (training's decoder)", timings[1], kPhotos, "sketches/s");
  findings.add_rate("convolution once, plain tensor operations", timings[2], kPhotos, "sketches/s");
  findings.add_rate("convolution at each step, plain (published form)", timings[3], kPhotos, "sketches/s");
  findings.add_ratio("training's decoder over the published form", timings[3], timings[1]);
  findings.add_ratio("of this: the convolution taken out of the loop", timings[3], timings[2]);
  findings.print(options["json"].as<bool>());
}

void measure_fitting(const BenchmarkOptions& options) {
  constexpr std::int64_t kSketches = 64, kShortest = 30, kLongest = 70;
  GeneratorConfig config;
  config.backbone = "mobilenet_v2";
  const Generator generator(config, {.seed = 1});
  const Weights weights(generator);
  const auto map = at::rand({kSketches, generator.backbone().channels(), 8, 8}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto z = at::randn({kSketches, config.latent});
  const auto inputs = at::randn({kSketches, kLongest, 5});
  const auto lengths = at::empty({kSketches}, at::kLong);
  for (std::int64_t i = 0; i < kSketches; ++i) {
    KeyedRandom random(1, Purpose::test, 0, static_cast<std::uint64_t>(i));
    lengths[i] = kShortest + static_cast<std::int64_t>(random.below(kLongest - kShortest + 1));
  }
  lengths[0] = kLongest;
  const auto gradient = at::randn({kSketches, kLongest, config.hidden});

  const auto fit = [&](auto teacher_forced_by) {
    for (const auto& [name, tensor] : weights.by_name) tensor.mutable_grad().reset();
    teacher_forced_by(weights.photos(map), weights.start(z), inputs, lengths, weights.decoder()).backward(gradient);
    return weights.at("lstm.weight_hh").grad();
  };
  check_agreement(fit(teacher_forced), fit(teacher_forced_plain), 1e-3, "teacher forcing");
  const auto timings = measure_in_turns({{"own", [&] { fit(teacher_forced); }}, {"autograd", [&] { fit(teacher_forced_plain); }}},
                                        options["rounds"].as<int>());
  Findings findings(fmt::format("decoder, teacher forcing: {} sketches of {} to {} steps (mean {:.0f}), 8×8×{} map, {} threads", kSketches,
                                kShortest, kLongest, lengths.to(at::kDouble).mean().item<double>(), generator.backbone().channels(),
                                at::get_num_threads()));
  findings.add_rate("forward and backward, own backward pass", timings[0], kSketches, "sketches/s");
  findings.add_rate("forward and backward, autograd over the steps", timings[1], kSketches, "sketches/s");
  findings.add_ratio("own backward pass over autograd", timings[1], timings[0]);
  findings.print(options["json"].as<bool>());
}

}  // namespace
}  // namespace duet

int main(int count, char** values) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("threads", po::value<int>()->default_value(0), "0: as many as the machine has cores");
  return duet::run_benchmark(
      count, values,
      "Measures training's decoder against other ways to compute the same: drawing with the attention's convolution inside the time loop,\n"
      "as the published code has it, and teacher forcing under autograd. Says so when the ways do not agree.",
      options, 3, [](const duet::BenchmarkOptions& parsed) {
        if (const int threads = parsed["threads"].as<int>(); threads > 0) at::set_num_threads(threads);
        duet::keep_freed_memory();
        duet::measure_drawing(parsed);
        duet::measure_fitting(parsed);
      });
}
