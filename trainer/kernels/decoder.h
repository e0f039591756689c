#pragma once
#include "base/torch.h"

namespace duet {

// Sizes throughout: n photos, P positions of the map (h'·w'), C its channels, A width of the attention, H of the LSTM, T steps.

/// Weights of attention and LSTM (docs/method.md §3.2, §3.3). The score has no bias: the softmax over positions would cancel it.
struct DecoderWeights {
  Tensor state_weight;  ///< W_S [A, H]
  Tensor state_bias;    ///< [A]
  Tensor score;         ///< w_a [A]
  Tensor weight_ih;     ///< [4H, C + 5], gates in the order input, forget, cell, output; columns: attended map, then the point
  Tensor weight_hh;     ///< [4H, H]
  Tensor bias_ih;       ///< [4H]
  Tensor bias_hh;       ///< [4H]
};

/// What the decoder sees of its photos. `keys` is the convolution of the map (bias included), computed once:
/// it does not depend on the step.
struct DecoderPhotos {
  Tensor map;   ///< [n, P, C] contiguous
  Tensor keys;  ///< [n, P, A] contiguous
};

struct DecoderState {
  Tensor hidden;  ///< [n, H]
  Tensor cell;    ///< [n, H]
};

/// One step of docs/method.md §3.2 and §3.3 in plain tensor operations: attends with the old hidden state, then steps the LSTM on
/// [attended, point]. point: [n, 5]. Any device, differentiable.
DecoderState decoder_step(const DecoderPhotos& photos, const DecoderState& state, const Tensor& point, const DecoderWeights& weights);

/// All steps under teacher forcing: inputs [n, T, 5] are the points before each step, constants. lengths: [n] int64 on the CPU, 1 … T, the
/// steps of each sequence that count. Returns the hidden states [n, T, H], zero from a sequence's length on.
///
/// On the CPU one autograd node with a backward pass of its own (no second derivative): finished sequences cost nothing, tanh is recomputed
/// instead of kept, weight gradients are a few products after the loop. Elsewhere decoder_step() in a loop. A row's result depends on its
/// batch mates by rounding at most.
Tensor teacher_forced(const DecoderPhotos& photos, const DecoderState& start, const Tensor& inputs, const Tensor& lengths,
                      const DecoderWeights& weights);

/// The same by decoder_step() under autograd on any device: what teacher_forced() does away from the CPU, and its oracle in tests.
Tensor teacher_forced_plain(const DecoderPhotos& photos, const DecoderState& start, const Tensor& inputs, const Tensor& lengths,
                            const DecoderWeights& weights);

}  // namespace duet
