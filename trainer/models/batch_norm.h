#pragma once
#include "trainer/choices.h"
#include "trainer/models/module.h"

namespace duet {

/// Batch normalisation over dimension 1, PyTorch's rules: biased variance normalises, the unbiased one enters the running average.
/// Parameters weight, bias; buffers running_mean, running_var (torchvision's names; num_batches_tracked is left out, nothing reads it).
///
/// Mode global runs one collective on context.statistics in each forward and each backward pass in training mode: every rank must run the
/// same layers in the same order, with at least one image. Gradients of weight and bias are the rank's share; a sum over ranks completes
/// them. It has no second derivative.
class BatchNorm : public Module {
 public:
  BatchNorm(const NetworkContext& context, std::int64_t channels, BatchNormMode mode, double epsilon = 1e-5, double momentum = 0.1);

  /// [n, channels, …] to the same shape and memory format.
  Tensor forward(const Tensor& input);

  /// True when this pass is a fixed affine map per channel (frozen, or evaluation), which the layer in front can absorb.
  bool is_affine() const { return mode_ == BatchNormMode::frozen || !training(); }
  /// That map: y = scale·x + shift, [channels] each, differentiable in weight and bias.
  struct Affine {
    Tensor scale, shift;
  };
  Affine affine() const;

 private:
  BatchNormMode mode_;
  double epsilon_, momentum_;
  Communicator* statistics_;
  Tensor weight_, bias_, running_mean_, running_var_;
};

}  // namespace duet
