#pragma once
#include "base/torch.h"
#include "datasets/sketch/offsets.h"
#include "trainer/models/module.h"

namespace duet {

struct Drawing;

/// Sequences as the generator learns them (docs/method.md §3.6 steps 5 and 6). T is the longest length in the batch.
struct StrokeBatch {
  Tensor inputs;   ///< [n, T, 5] the point before each step: the start token (0, 0, 1, 0, 0), then targets
  Tensor targets;  ///< [n, T, 5] Δx, Δy over the offset scale, pen one-hot; (0, 0, 0, 0, 1) behind the end
  Tensor lengths;  ///< [n] int64 on the CPU: steps, the one with Pen::end included
};

/// Throws DataError when a sequence is empty or does not have Pen::end exactly at its last step (`subject` names it, with its place in the
/// batch), and UsageError when the scale is not a positive number.
StrokeBatch make_stroke_batch(std::span<const std::vector<Offset>> sequences, double offset_scale, at::ScalarType dtype, at::Device device,
                              const std::string& subject);

/// Each drawing's steps as offsets in units of the scale, the last one made Pen::end: what from_offsets() takes. The step whose pen is
/// 'end' only says that the drawing is over: its offset is never trained (docs/method.md §3.5), so it is left out.
std::vector<std::vector<Offset>> to_offset_lists(const Drawing& drawing);

}  // namespace duet
