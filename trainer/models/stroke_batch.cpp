#include "trainer/models/stroke_batch.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "trainer/kernels/drawing.h"

namespace duet {

StrokeBatch make_stroke_batch(std::span<const std::vector<Offset>> sequences, double offset_scale, at::ScalarType dtype, at::Device device,
                              const std::string& subject) {
  if (!(offset_scale > 0) || !std::isfinite(offset_scale))
    throw UsageError("{}: the offset scale is {}; it must be a positive number of pixels", subject, offset_scale);
  const auto count = static_cast<std::int64_t>(sequences.size());
  std::size_t longest = 0;
  for (const auto& sequence : sequences) longest = std::max(longest, sequence.size());
  const auto steps = static_cast<std::int64_t>(longest);
  const auto wide = at::TensorOptions().dtype(at::kDouble);
  auto targets = at::zeros({count, steps, 5}, wide);
  auto lengths = at::empty({count}, at::kLong);
  auto target = targets.accessor<double, 3>();
  auto length = lengths.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& sequence = sequences[i];
    const auto end = std::find_if(sequence.begin(), sequence.end(), [](const Offset& step) { return step.pen == Pen::end; });
    if (sequence.empty() || end != std::prev(sequence.end()))
      throw DataError("{}: sequence {} of the batch must end with its only 'end' step; it has {} steps", subject, i, sequence.size());
    length[i] = static_cast<std::int64_t>(sequence.size());
    for (std::int64_t t = 0; t < steps; ++t) {
      const auto step = t < length[i] ? sequence[t] : Offset{.pen = Pen::end};
      target[i][t][0] = step.dx / offset_scale;
      target[i][t][1] = step.dy / offset_scale;
      target[i][t][2 + static_cast<int>(step.pen)] = 1;
    }
  }
  auto start = at::zeros({count, 1, 5}, wide);
  start.select(2, 2).fill_(1);
  const auto inputs = at::cat({start, targets.narrow(1, 0, steps - 1)}, 1);
  return {inputs.to(device, dtype), targets.to(device, dtype), lengths};
}

std::vector<std::vector<Offset>> to_offset_lists(const Drawing& drawing) {
  const auto offsets = drawing.offsets.to(at::kCPU, at::kFloat).contiguous();
  const auto pens = drawing.pen.to(at::kCPU).contiguous(), lengths = drawing.length.to(at::kCPU).contiguous();
  const auto offset = offsets.accessor<float, 3>();
  const auto pen = pens.accessor<std::int64_t, 2>();
  const auto length = lengths.accessor<std::int64_t, 1>();
  std::vector<std::vector<Offset>> lists(offsets.size(0));
  for (std::size_t i = 0; i < lists.size(); ++i) {
    for (std::int64_t t = 0; t < length[i]; ++t) {
      const auto state = static_cast<Pen>(pen[i][t]);
      if (state != Pen::end) lists[i].push_back({offset[i][t][0], offset[i][t][1], state});
    }
    if (!lists[i].empty()) lists[i].back().pen = Pen::end;  // also where the limit of steps cut the drawing short
  }
  return lists;
}

}  // namespace duet
