#include "trainer/models/plain_drawing.h"

#include "trainer/models/mixture.h"

namespace duet {

Drawing draw_plain(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& weights, const OutputWeights& output,
                   const DrawOptions& options, const Tensor& noise) {
  const at::NoGradGuard guard;
  const auto n = photos.map.size(0);
  const auto whole = photos.map.options().dtype(at::kLong);
  const auto draws = options.temperature > 0 ? noise.to(photos.map.device()) : Tensor();
  auto state = start;
  auto point = at::zeros({n, 5}, photos.map.options());
  point.select(1, 2).fill_(1);
  auto length = at::full({n}, options.max_steps, whole);
  auto running = at::ones({n}, whole.dtype(at::kBool));
  std::vector<Tensor> offsets, pens, hidden;
  for (std::int64_t t = 0; t < options.max_steps && running.any().item<bool>(); ++t) {
    state = decoder_step(photos, state, point, weights);
    auto distribution = split_mixture(at::linear(state.hidden, output.weight, output.bias));
    if (options.ignore_end) distribution.pen = distribution.pen.narrow(-1, 0, 2);
    const auto step =
        options.temperature > 0 ? sampled_step(distribution, options.temperature, draws.select(1, t)) : greedy_step(distribution);
    const auto alive = running.unsqueeze(1);
    const auto where_alive = [&](const Tensor& x) { return at::where(alive, x, at::zeros_like(x)); };
    offsets.push_back(where_alive(step.offset));
    pens.push_back(at::where(running, step.pen, at::full_like(step.pen, 2)));
    if (options.keep_hidden) hidden.push_back(where_alive(state.hidden));
    point = at::cat({step.offset, at::one_hot(step.pen, 3).to(step.offset.scalar_type())}, 1);
    const auto ends = running.logical_and(step.pen.eq(2));
    length.masked_fill_(ends, t + 1);
    running = running.logical_and(ends.logical_not());
  }
  return {at::stack(offsets, 1), at::stack(pens, 1), length, hidden.empty() ? Tensor() : at::stack(hidden, 1)};
}

}  // namespace duet
