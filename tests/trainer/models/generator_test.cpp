#include "trainer/models/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "trainer/models/draw_noise.h"
#include "trainer/models/stroke_batch.h"
#include "trainer/objectives/policy_gradient.h"
#include "trainer/objectives/vae_loss.h"

namespace duet {
namespace {

GeneratorConfig small() {
  GeneratorConfig config;
  config.backbone = "tiny";
  config.latent = 6;
  config.hidden = 16;
  config.attention = 8;
  config.mixtures = 3;
  config.max_steps = 12;
  return config;
}

Tensor pictures(std::int64_t n) { return at::arange(n * 3 * 32 * 32, at::kDouble).mul(0.37).sin().mul(0.5).add(0.5).view({n, 3, 32, 32}); }

const std::vector<std::int64_t> kSamples{3, 4, 5};
const std::vector<std::vector<Offset>> kSequences{{{1, -1, Pen::touching}, {2, 0.5, Pen::lifted}, {0.3f, 0.1f, Pen::end}},
                                                  {{0.5f, 0.5f, Pen::touching}, {0, 1, Pen::end}},
                                                  {{-1, 1, Pen::lifted}, {1, 1, Pen::touching}, {0, 0, Pen::touching}, {1, 0, Pen::end}}};

Tensor loss_of(Generator& generator, at::ScalarType type = at::kDouble) {
  const auto batch = make_stroke_batch(kSequences, 1, type, at::kCPU, "test");
  const auto map = generator.encode(pictures(3).to(type));
  const auto latent = generator.latent(map);
  const auto z = Generator::sample_latent(latent, latent_noise(1, 0, kSamples, 6));
  const auto hidden = generator.teacher_forced(map, z, batch.inputs, batch.lengths);
  return vae_loss(reconstruction_terms(generator.output(hidden), batch.targets, batch.lengths),
                  divergence_terms(latent.mean, latent.log_variance), {.size = 3, .mean_divergence = 1});
}

TEST(Generator, HasThePublishedNumberOfParameters) {
  Generator generator(GeneratorConfig{}, NetworkContext{});
  std::int64_t backbone = 0, rest = 0;
  for (const auto& [name, tensor] : generator.parameters()) (name.starts_with("backbone.") ? backbone : rest) += tensor.numel();
  EXPECT_EQ(backbone, 14714688);
  EXPECT_EQ(rest, 18464188 - 14714688 - 1);  // the score's bias, which the softmax cancels, is left out
}

TEST(Generator, NamesItsParameters) {
  Generator generator(small(), NetworkContext{});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : generator.parameters())
    if (!name.starts_with("backbone.")) names.push_back(name);
  EXPECT_THAT(names, testing::UnorderedElementsAre("latent_mean.weight", "latent_mean.bias", "latent_log_variance.weight",
                                                   "latent_log_variance.bias", "initial_state.weight", "initial_state.bias",
                                                   "attention.convolution.weight", "attention.convolution.bias", "attention.state.weight",
                                                   "attention.state.bias", "attention.score.weight", "lstm.weight_ih", "lstm.weight_hh",
                                                   "lstm.bias_ih", "lstm.bias_hh", "output.weight", "output.bias"));
}

TEST(Generator, GivesEveryTrainedParameterTheGradientOfItsLoss) {
  for (const bool whole : {true, false}) {
    auto config = small();
    config.train_backbone = whole;
    Generator generator(config, {.dtype = at::kDouble});
    loss_of(generator).backward();
    const auto trained = generator.trained_parameters();
    EXPECT_EQ(trained.size() == generator.parameters().size(), whole);
    for (const auto& [name, tensor] : generator.backbone().parameters()) EXPECT_EQ(tensor.grad().defined(), whole) << name;
    const at::NoGradGuard guard;
    for (const auto& [name, tensor] : trained) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      for (const std::int64_t i : {std::int64_t{0}, tensor.numel() / 2}) {
        auto& value = tensor.data_ptr<double>()[i];
        const double before = value, step = 1e-6;
        value = before + step;
        const double above = loss_of(generator).item<double>();
        value = before - step;
        const double below = loss_of(generator).item<double>();
        value = before;
        EXPECT_NEAR(tensor.grad().flatten()[i].item<double>(), (above - below) / (2 * step), 1e-7) << name << " " << i;
      }
    }
  }
}

TEST(Generator, PoolsByAverageOrMaximum) {
  for (const auto pooling : {Pooling::average, Pooling::max}) {
    auto config = small();
    config.pooling = pooling;
    Generator generator(config, {.dtype = at::kDouble});
    const auto map = generator.encode(pictures(2));
    const auto flat = map.flatten(2);
    const auto pooled = pooling == Pooling::max ? std::get<0>(flat.max(2)) : flat.mean(2);
    Tensor weight, bias;
    for (const auto& [name, tensor] : generator.parameters()) {
      if (name == "latent_mean.weight") weight = tensor;
      if (name == "latent_mean.bias") bias = tensor;
    }
    EXPECT_TRUE(at::allclose(generator.latent(map).mean, at::linear(pooled, weight, bias), 1e-12, 1e-12));
  }
}

TEST(Generator, SamplesTheLatentFromItsPosterior) {
  const Generator::Latent latent{at::full({1, 2}, 3, at::kDouble), at::full({1, 2}, std::log(4.0), at::kDouble)};
  const auto z = Generator::sample_latent(latent, at::arange(2, at::kFloat).unsqueeze(0));
  EXPECT_NEAR(z[0][0].item<double>(), 3, 1e-12);
  EXPECT_NEAR(z[0][1].item<double>(), 5, 1e-12);  // deviation 2
}

TEST(Generator, DrawsFromTheStatesThatItTrains) {
  Generator generator(small(), {.dtype = at::kDouble});
  const auto map = generator.encode(pictures(3)).detach();
  const auto z = Generator::sample_latent(generator.latent(map), latent_noise(1, 0, kSamples, 6)).detach();
  const auto drawing = generator.draw(map, z, {.temperature = 1, .max_steps = 12, .keep_hidden = true}, drawing_noise(1, 0, kSamples, 12));
  // Teacher forcing on the drawing itself must pass through the same hidden states.
  const auto pens = at::one_hot(drawing.pen, 3).to(at::kDouble);
  const auto points = at::cat({drawing.offsets, pens}, 2);
  auto start = at::zeros({3, 1, 5}, at::kDouble);
  start.select(2, 2).fill_(1);
  const auto inputs = at::cat({start, points.narrow(1, 0, points.size(1) - 1)}, 1);
  const auto hidden = generator.teacher_forced(map, z, inputs, drawing.length);
  EXPECT_LT((hidden - drawing.hidden).abs().max().item<double>(), 1e-12);
}

TEST(Generator, PolicyGradientReachesTheOutputLayerOnly) {
  Generator generator(small(), {.dtype = at::kDouble});
  const auto map = generator.encode(pictures(3));
  const auto z = generator.latent(map).mean;
  const auto drawing = generator.draw(map, z, {.temperature = 1, .max_steps = 12, .keep_hidden = true}, drawing_noise(1, 0, kSamples, 12));
  const auto likelihood = drawing_log_likelihood(generator.output(drawing.hidden), drawing.offsets, drawing.pen, drawing.length);
  policy_gradient_loss(likelihood, at::ones({3}, at::kDouble), at::zeros({3}, at::kDouble), {.batch = 3}).backward();
  std::vector<std::string> reached;
  for (const auto& [name, tensor] : generator.parameters())
    if (tensor.grad().defined()) reached.push_back(name);
  EXPECT_THAT(reached, testing::UnorderedElementsAre("output.weight", "output.bias"));
  EXPECT_EQ(generator.output_parameters().size(), 2u);
}

TEST(Generator, RemembersItsOffsetScale) {
  Generator generator(small(), NetworkContext{});
  generator.set_offset_scale(39.5);
  EXPECT_EQ(generator.offset_scale(), 39.5);
  bool stored = false;
  for (const auto& [name, tensor] : generator.buffers()) stored |= name == "offset_scale" && tensor.item<double>() == 39.5;
  EXPECT_TRUE(stored);
  EXPECT_THROW(generator.set_offset_scale(0), UsageError);
}

}  // namespace
}  // namespace duet
