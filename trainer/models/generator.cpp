#include "trainer/models/generator.h"

#include <cmath>

#include "base/error.h"
#include "trainer/models/plain_drawing.h"

namespace duet {
namespace {

constexpr std::int64_t kPoint = 5;  // Δx, Δy, pen one-hot

const GeneratorConfig& checked(const GeneratorConfig& config) {
  if (config.mixtures < 1 || config.hidden < 1 || config.attention < 1 || config.latent < 1)
    throw UsageError("generator: mixtures {}, hidden {}, attention {} and latent {} must be at least 1", config.mixtures, config.hidden,
                     config.attention, config.latent);
  return config;
}

}  // namespace

Generator::Generator(const GeneratorConfig& config, const NetworkContext& context)
    : config_(checked(config)),
      backbone_(make_backbone(config.backbone, config.batch_norm, context.within("backbone"), BackboneTap::generator)),
      latent_mean_(context.within("latent_mean"), backbone_->channels(), config.latent),
      latent_log_variance_(context.within("latent_log_variance"), backbone_->channels(), config.latent),
      initial_state_(context.within("initial_state"), config.latent, 2 * config.hidden),
      attention_convolution_(
          context.within("attention.convolution"),
          {.inputs = backbone_->channels(), .outputs = config.attention, .kernel = {3, 3}, .padding = {1, 1}, .bias = true},
          1 / std::sqrt(9.0 * static_cast<double>(backbone_->channels()))) {
  const auto hidden = config.hidden;
  const auto add_uniform = [&](const std::string& name, at::IntArrayRef shape, std::int64_t inputs) {
    return add_parameter(name, uniform_values(context, name, shape, 1 / std::sqrt(static_cast<double>(inputs))));
  };
  const auto add_zeros = [&](const std::string& name, at::IntArrayRef shape) {
    return add_parameter(name, constant_values(context, shape, 0));
  };
  state_weight_ = add_uniform("attention.state.weight", {config.attention, hidden}, hidden);
  state_bias_ = add_zeros("attention.state.bias", {config.attention});
  score_ = add_uniform("attention.score.weight", {config.attention}, config.attention);
  weight_ih_ = add_uniform("lstm.weight_ih", {4 * hidden, backbone_->channels() + kPoint}, hidden);
  weight_hh_ = add_uniform("lstm.weight_hh", {4 * hidden, hidden}, hidden);
  bias_ih_ = add_uniform("lstm.bias_ih", {4 * hidden}, hidden);
  bias_hh_ = add_uniform("lstm.bias_hh", {4 * hidden}, hidden);
  output_weight_ = add_uniform("output.weight", {6 * config.mixtures + 3, hidden}, hidden);
  output_bias_ = add_zeros("output.bias", {6 * config.mixtures + 3});
  offset_scale_ = add_buffer("offset_scale", constant_values(context, {1}, 1));
  add_child("backbone", *backbone_);
  add_child("latent_mean", latent_mean_);
  add_child("latent_log_variance", latent_log_variance_);
  add_child("initial_state", initial_state_);
  add_child("attention.convolution", attention_convolution_);
  if (!config.train_backbone) backbone_->set_requires_grad(false);
}

Tensor Generator::encode(const Tensor& photos) {
  if (config_.train_backbone) return backbone_->features(photos);
  const at::NoGradGuard guard;
  return backbone_->features(photos);
}

Generator::Latent Generator::latent(const Tensor& map) const {
  const auto pooled = config_.pooling == Pooling::max ? map.amax({2, 3}) : map.mean({2, 3});
  return {latent_mean_.forward(pooled), latent_log_variance_.forward(pooled)};
}

Tensor Generator::sample_latent(const Latent& latent, const Tensor& noise) {
  return latent.mean + (0.5 * latent.log_variance).exp() * noise.to(latent.mean.options());
}

Tensor Generator::teacher_forced(const Tensor& map, const Tensor& z, const Tensor& inputs, const Tensor& lengths) const {
  return duet::teacher_forced(photos(map), start(z), inputs, lengths, decoder_weights());
}

MixtureOutput Generator::output(const Tensor& hidden) const { return split_mixture(at::linear(hidden, output_weight_, output_bias_)); }

Drawing Generator::draw(const Tensor& map, const Tensor& z, const DrawOptions& options, const Tensor& noise) const {
  const at::NoGradGuard guard;
  const auto draw = map.is_cpu() ? draw_on_cpu : draw_plain;
  return draw(photos(map), start(z), decoder_weights(), {output_weight_, output_bias_}, options, noise);
}

NamedTensors Generator::output_parameters() const { return {{"output.weight", output_weight_}, {"output.bias", output_bias_}}; }

NamedTensors Generator::trained_parameters() const {
  auto trained = parameters();
  if (!config_.train_backbone) std::erase_if(trained, [](const NamedTensor& entry) { return entry.name.starts_with("backbone."); });
  return trained;
}

double Generator::offset_scale() const { return offset_scale_.item<double>(); }

void Generator::set_offset_scale(double pixels) {
  if (!(pixels > 0) || !std::isfinite(pixels)) throw UsageError("the offset scale is {}; it must be a positive number of pixels", pixels);
  offset_scale_.fill_(pixels);
}

DecoderPhotos Generator::photos(const Tensor& map) const {
  const auto positions_last = [](const Tensor& x) { return x.permute({0, 2, 3, 1}).flatten(1, 2).contiguous(); };
  return {positions_last(map), positions_last(attention_convolution_.forward(map))};
}

DecoderState Generator::start(const Tensor& z) const {
  const auto state = initial_state_.forward(z).tanh().chunk(2, 1);
  return {state[0], state[1]};
}

DecoderWeights Generator::decoder_weights() const {
  return {state_weight_, state_bias_, score_, weight_ih_, weight_hh_, bias_ih_, bias_hh_};
}

}  // namespace duet
