#include "trainer/models/layers.h"

#include <cmath>

namespace duet {

double ConvolutionShape::he_deviation() const { return std::sqrt(2.0 / static_cast<double>(outputs * kernel[0] * kernel[1])); }

Convolution::Convolution(const NetworkContext& context, const ConvolutionShape& shape, double deviation) : shape_(shape) {
  weight_ = add_parameter("weight", normal_values(context, "weight", shape.weight_shape(), deviation));
  if (shape.bias) bias_ = add_parameter("bias", constant_values(context, {shape.outputs}, 0));
}

Tensor Convolution::forward(const Tensor& input) const {
  return at::conv2d(input, weight_, bias_, shape_.stride, shape_.padding, 1, shape_.groups);
}

Tensor Convolution::forward(const Tensor& input, const BatchNorm::Affine& affine) const {
  auto weight = weight_ * affine.scale.view({-1, 1, 1, 1});
  auto bias = bias_.defined() ? affine.shift + affine.scale * bias_ : affine.shift;
  return at::conv2d(input, weight, bias, shape_.stride, shape_.padding, 1, shape_.groups);
}

ConvolutionNorm::ConvolutionNorm(const NetworkContext& context, const Names& names, const ConvolutionShape& shape, double deviation,
                                 BatchNormMode mode, Activation activation, double epsilon)
    : convolution_(context.within(names.convolution), shape, deviation),
      norm_(context.within(names.norm), shape.outputs, mode, epsilon),
      activation_(activation) {
  add_child(names.convolution, convolution_);
  add_child(names.norm, norm_);
}

Tensor ConvolutionNorm::forward(const Tensor& input) {
  auto output = norm_.is_affine() ? convolution_.forward(input, norm_.affine()) : norm_.forward(convolution_.forward(input));
  // In place: neither convolution nor batch normalisation needs its own output again.
  if (activation_ == Activation::relu) output.relu_();
  if (activation_ == Activation::relu6) at::hardtanh_(output, 0, 6);
  return output;
}

Linear::Linear(const NetworkContext& context, std::int64_t inputs, std::int64_t outputs) {
  weight_ = add_parameter("weight", uniform_values(context, "weight", {outputs, inputs}, 1 / std::sqrt(static_cast<double>(inputs))));
  bias_ = add_parameter("bias", constant_values(context, {outputs}, 0));
}

Tensor Linear::forward(const Tensor& input) const { return at::linear(input, weight_, bias_); }

Tensor unit_rows(const Tensor& x) { return x / x.norm(2, -1, true).clamp_min(1e-12); }

}  // namespace duet
