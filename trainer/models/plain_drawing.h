#pragma once
#include "trainer/kernels/drawing.h"

namespace duet {

/// draw_on_cpu() in plain tensor operations, for any device; without gradient. Every row runs until the last has ended; a row's result
/// depends on its batch mates by rounding at most.
Drawing draw_plain(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& weights, const OutputWeights& output,
                   const DrawOptions& options, const Tensor& noise);

}  // namespace duet
