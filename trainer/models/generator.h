#pragma once
#include "trainer/config.h"
#include "trainer/kernels/drawing.h"
#include "trainer/models/backbone.h"
#include "trainer/models/layers.h"
#include "trainer/models/mixture.h"
#include "trainer/models/module.h"

namespace duet {

/// G of docs/method.md §3: photo → vector sketch. Backbone → latent; attention over the map and an LSTM draw step by step.
///
/// Parameters: backbone.… (torchvision's keys), latent_mean, latent_log_variance, initial_state, attention.convolution, attention.state,
/// attention.score, lstm, output. Buffer offset_scale: pixels of the 256 canvas a unit of the drawn offsets.
/// Weights of the backbone are the caller's (load_backbone_weights of backbone()).
class Generator : public Module {
 public:
  Generator(const GeneratorConfig& config, const NetworkContext& context);

  /// photos: as Backbone::features() takes them. Returns the map [n, C, h', w'], without gradient where the backbone is not trained.
  Tensor encode(const Tensor& photos);

  struct Latent {
    Tensor mean;          ///< [n, latent]
    Tensor log_variance;  ///< [n, latent]
  };
  Latent latent(const Tensor& map) const;

  /// mean + exp(log_variance / 2) · noise. noise: [n, latent] of any device and floating type.
  static Tensor sample_latent(const Latent& latent, const Tensor& noise);

  /// Hidden states of all steps, [n, T, hidden]; arguments as in StrokeBatch. z: [n, latent].
  Tensor teacher_forced(const Tensor& map, const Tensor& z, const Tensor& inputs, const Tensor& lengths) const;

  /// The output layer on hidden states [..., hidden].
  MixtureOutput output(const Tensor& hidden) const;

  /// Draws without gradient; see DrawOptions and Drawing. noise: drawing_noise() of at least options.max_steps steps;
  /// undefined when greedy.
  Drawing draw(const Tensor& map, const Tensor& z, const DrawOptions& options, const Tensor& noise) const;

  /// W_y and b_y: all that the policy gradient trains.
  NamedTensors output_parameters() const;
  /// All that the variational loss trains: everything, without the backbone where that is fixed.
  NamedTensors trained_parameters() const;

  Backbone& backbone() { return *backbone_; }
  const Backbone& backbone() const { return *backbone_; }
  const GeneratorConfig& config() const { return config_; }

  double offset_scale() const;
  void set_offset_scale(double pixels);

 private:
  DecoderPhotos photos(const Tensor& map) const;
  DecoderState start(const Tensor& z) const;
  DecoderWeights decoder_weights() const;

  GeneratorConfig config_;
  std::unique_ptr<Backbone> backbone_;
  Linear latent_mean_, latent_log_variance_, initial_state_;
  Convolution attention_convolution_;
  Tensor state_weight_, state_bias_, score_;
  Tensor weight_ih_, weight_hh_, bias_ih_, bias_hh_;
  Tensor output_weight_, output_bias_;
  Tensor offset_scale_;
};

}  // namespace duet
