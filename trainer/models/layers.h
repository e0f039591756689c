#pragma once
#include "trainer/models/batch_norm.h"
#include "trainer/models/module.h"

namespace duet {

/// Shape of a two-dimensional convolution; pairs are (height, width).
struct ConvolutionShape {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::array<std::int64_t, 2> kernel{1, 1};
  std::int64_t stride = 1;
  std::array<std::int64_t, 2> padding{0, 0};
  std::int64_t groups = 1;
  bool bias = false;

  std::vector<std::int64_t> weight_shape() const { return {outputs, inputs / groups, kernel[0], kernel[1]}; }
  /// Deviation of He's normal initialisation over the outputs, as torchvision draws it (groups are not divided out).
  double he_deviation() const;
};

/// Parameters weight and, if asked for, bias (zero at first). weight ~ N(0, deviation²).
class Convolution : public Module {
 public:
  Convolution(const NetworkContext& context, const ConvolutionShape& shape, double deviation);
  Tensor forward(const Tensor& input) const;
  /// The same with each output multiplied by scale and moved by shift, [outputs] each: costs nothing per position.
  Tensor forward(const Tensor& input, const BatchNorm::Affine& affine) const;

 private:
  ConvolutionShape shape_;
  Tensor weight_, bias_;
};

enum class Activation { none, relu, relu6 };

/// Convolution, batch normalisation, activation. Where the normalisation is a fixed map (frozen or evaluation),
/// it is folded into the convolution.
class ConvolutionNorm : public Module {
 public:
  struct Names {
    std::string convolution, norm;
  };
  ConvolutionNorm(const NetworkContext& context, const Names& names, const ConvolutionShape& shape, double deviation, BatchNormMode mode,
                  Activation activation, double epsilon = 1e-5);
  Tensor forward(const Tensor& input);

 private:
  Convolution convolution_;
  BatchNorm norm_;
  Activation activation_;
};

/// y = x·weightᵀ + bias; weight [outputs, inputs] ~ U(±1/√inputs), bias zero at first.
class Linear : public Module {
 public:
  Linear(const NetworkContext& context, std::int64_t inputs, std::int64_t outputs);
  Tensor forward(const Tensor& input) const;

 private:
  Tensor weight_, bias_;
};

/// Rows of x divided by their length (at least 1e-12).
Tensor unit_rows(const Tensor& x);

}  // namespace duet
