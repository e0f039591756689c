#pragma once
#include "trainer/kernels/decoder.h"

namespace duet {

/// How a drawing is made (docs/method.md §3.8).
struct DrawOptions {
  double temperature = 0;  ///< 0: greedy. Else logits of mixture and pen are divided by it and deviations multiplied by its root
  std::int64_t max_steps = 100;
  bool ignore_end = false;   ///< the pen is never 'end': every drawing has max_steps steps
  bool keep_hidden = false;  ///< fill Drawing::hidden
};

/// What was drawn for n photos. T is the length of the longest drawing, at most max_steps. All on the device of the photos.
struct Drawing {
  Tensor offsets;  ///< [n, T, 2] in units of the offset scale; the last step's too, zero behind it
  Tensor pen;      ///< [n, T] int64: 0 touching, 1 lifted, 2 end; 2 behind the last step
  Tensor length;   ///< [n] int64: steps drawn, the one with 'end' included
  Tensor hidden;   ///< [n, T, H] state that each step was drawn from, zero behind the last; undefined unless kept
};

/// The layer from hidden state to pen logits and mixture, M components (docs/method.md §3.4).
struct OutputWeights {
  Tensor weight;  ///< [6M + 3, H]
  Tensor bias;    ///< [6M + 3]
};

/// Draws on the CPU, without gradient, until every drawing has ended. noise: [n, ≥ max_steps, 4] float64: uniform for the component, two
/// normals for the offset, uniform for the pen; not read (may be undefined) when greedy.
/// A photo's drawing is the same to the bit whatever its batch mates, their number, and the number of threads.
Drawing draw_on_cpu(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& weights, const OutputWeights& output,
                    const DrawOptions& options, const Tensor& noise);

}  // namespace duet
