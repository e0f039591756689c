#include "trainer/kernels/decoder.h"

#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "trainer/kernels/attention.h"
#include "trainer/kernels/lstm_cell.h"

namespace duet {
namespace {

/// The steps of a batch of sequences, packed: sequences by falling length, steps one after another, each with the sequences that are still
/// running. Row first[t] + i is step t of the i-th longest sequence, and the rows of step t − 1 begin with those that step t continues.
struct Packing {
  explicit Packing(const Tensor& lengths, std::int64_t steps) {
    const auto length = lengths.accessor<std::int64_t, 1>();
    order.resize(length.size(0));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return length[a] > length[b]; });
    DUET_CHECK(length[order.front()] <= steps && length[order.back()] >= 1, "lengths lie in {} … {}, but there are {} steps",
               length[order.back()], length[order.front()], steps);
    std::int64_t running = length.size(0);
    for (std::int64_t t = 0; t < length[order.front()]; ++t) {
      while (length[order[running - 1]] <= t) --running;
      first.push_back(rows());
      for (std::int64_t i = 0; i < running; ++i) place.push_back(order[i] * steps + t);
      running_at.push_back(running);
    }
  }

  std::int64_t steps() const { return static_cast<std::int64_t>(first.size()); }
  std::int64_t rows() const { return static_cast<std::int64_t>(place.size()); }
  std::int64_t sequences() const { return static_cast<std::int64_t>(order.size()); }
  Tensor order_index() const { return at::tensor(order, at::kLong); }
  Tensor place_index() const { return at::tensor(place, at::kLong); }

  /// Packed rows of step t.
  Tensor step(const Tensor& packed, std::int64_t t) const { return packed.narrow(0, first[t], running_at[t]); }

  /// For each row, the row of the same sequence one step earlier, from packed values and the values before the first step.
  Tensor previous(const Tensor& packed, const Tensor& start) const {
    std::vector<Tensor> parts{start};
    for (std::int64_t t = 1; t < steps(); ++t) parts.push_back(packed.narrow(0, first[t - 1], running_at[t]));
    return at::cat(parts);
  }

  /// [rows, width] ↔ [sequences, steps of the padded form, width] in the caller's order.
  Tensor pack(const Tensor& padded) const { return padded.reshape({-1, padded.size(-1)}).index_select(0, place_index()); }
  Tensor pad(const Tensor& packed, std::int64_t padded_steps) const {
    auto padded = at::zeros({sequences() * padded_steps, packed.size(-1)}, packed.options());
    return padded.index_copy_(0, place_index(), packed).view({sequences(), padded_steps, packed.size(-1)});
  }

  std::vector<std::int64_t> order;       ///< caller's index of the i-th longest sequence
  std::vector<std::int64_t> first;       ///< row at which step t begins
  std::vector<std::int64_t> running_at;  ///< sequences that step t still has
  std::vector<std::int64_t> place;       ///< of each row in the padded [sequences · steps]
};

/// Everything the loop works on, in the order of the packing. Filled by the forward pass; the backward pass reads it.
struct Unrolled {
  Tensor map, keys;              // [n, P, C], [n, P, A]
  Tensor hidden0, cell0;         // [n, H]
  Tensor inputs;                 // [rows, 5]
  Tensor gates, cell, hidden;    // [rows, 4H] activations, [rows, H], [rows, H]
  Tensor state, alpha, context;  // [rows, A], [rows, P], [rows, C]

  AttentionSizes sizes() const { return {map.size(1), map.size(2), keys.size(2)}; }
  Tensor before(const Packing& packing, const Tensor& start, const Tensor& packed, std::int64_t t) const {
    return t == 0 ? start : packed.narrow(0, packing.first[t - 1], packing.running_at[t]);
  }
};

template <typename Scalar>
void attend_step(const Unrolled& u, const Tensor& score, std::int64_t first, std::int64_t count) {
  const auto sizes = u.sizes();
  const auto *keys = u.keys.const_data_ptr<Scalar>(), *map = u.map.const_data_ptr<Scalar>(), *weights = score.const_data_ptr<Scalar>();
  const auto* state = u.state.const_data_ptr<Scalar>();
  auto *alpha = u.alpha.data_ptr<Scalar>(), *context = u.context.data_ptr<Scalar>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      attend(sizes, keys + i * sizes.positions * sizes.width, map + i * sizes.positions * sizes.channels, state + (first + i) * sizes.width,
             weights, alpha + (first + i) * sizes.positions, context + (first + i) * sizes.channels);
  });
}

template <typename Scalar>
void cell_step(const Unrolled& u, const Tensor& cell_before, std::int64_t first, std::int64_t count) {
  const auto width = u.cell.size(1);
  const auto* before = cell_before.const_data_ptr<Scalar>();
  auto *gates = u.gates.data_ptr<Scalar>(), *cell = u.cell.data_ptr<Scalar>(), *hidden = u.hidden.data_ptr<Scalar>();
  at::parallel_for(0, count, 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      lstm_cell(width, gates + (first + i) * 4 * width, before + i * width, cell + (first + i) * width, hidden + (first + i) * width);
  });
}

/// Products with slices of the weights; contiguous, since the loop reads them once a step.
struct SplitWeights {
  explicit SplitWeights(const DecoderWeights& w, std::int64_t channels)
      : context(w.weight_ih.narrow(1, 0, channels).contiguous()), point(w.weight_ih.narrow(1, channels, 5).contiguous()) {}
  Tensor context;  ///< [4H, C]
  Tensor point;    ///< [4H, 5]
};

Unrolled unroll(const Packing& packing, const DecoderPhotos& photos, const DecoderState& start, const Tensor& inputs,
                const DecoderWeights& w) {
  const auto order = packing.order_index();
  const auto rows = packing.rows();
  const auto hidden_width = start.hidden.size(1);
  const auto options = photos.map.options();
  Unrolled u;
  u.map = photos.map.index_select(0, order);
  u.keys = photos.keys.index_select(0, order);
  u.hidden0 = start.hidden.index_select(0, order);
  u.cell0 = start.cell.index_select(0, order);
  u.inputs = packing.pack(inputs);
  u.cell = at::empty({rows, hidden_width}, options);
  u.hidden = at::empty({rows, hidden_width}, options);
  u.state = at::empty({rows, u.keys.size(2)}, options);
  u.alpha = at::empty({rows, u.map.size(1)}, options);
  u.context = at::empty({rows, u.map.size(2)}, options);
  const SplitWeights split(w, u.map.size(2));
  u.gates = at::addmm(w.bias_ih + w.bias_hh, u.inputs, split.point.t());  // the points of all steps are known beforehand
  const auto score = w.score.contiguous();
  for (std::int64_t t = 0; t < packing.steps(); ++t) {
    const auto first = packing.first[t], count = packing.running_at[t];
    const auto hidden_before = u.before(packing, u.hidden0, u.hidden, t), cell_before = u.before(packing, u.cell0, u.cell, t);
    auto state = packing.step(u.state, t), gates = packing.step(u.gates, t);
    at::addmm_out(state, w.state_bias, hidden_before, w.state_weight.t());
    AT_DISPATCH_FLOATING_TYPES(u.map.scalar_type(), "attend", [&] { attend_step<scalar_t>(u, score, first, count); });
    gates.addmm_(packing.step(u.context, t), split.context.t());
    gates.addmm_(hidden_before, w.weight_hh.t());
    AT_DISPATCH_FLOATING_TYPES(u.map.scalar_type(), "lstm_cell", [&] { cell_step<scalar_t>(u, cell_before, first, count); });
  }
  return u;
}

/// Gradients that the backward loop collects, packed like Unrolled.
struct Collected {
  Tensor gates;         // [rows, 4H] before their activations
  Tensor state;         // [rows, A]
  Tensor context;       // [rows, C]
  Tensor keys;          // [n, P, A]
  Tensor score;         // [n, A]: one row a sequence, so that threads never add to the same one
  Tensor hidden, cell;  // [n, H] running; at the end of the start state
};

template <typename Scalar>
void attend_step_backward(const Unrolled& u, const Tensor& score, const Collected& g, std::int64_t first, std::int64_t count) {
  const auto sizes = u.sizes();
  const auto *keys = u.keys.const_data_ptr<Scalar>(), *map = u.map.const_data_ptr<Scalar>(), *weights = score.const_data_ptr<Scalar>();
  const auto *state = u.state.const_data_ptr<Scalar>(), *alpha = u.alpha.const_data_ptr<Scalar>();
  const auto* context_gradient = g.context.const_data_ptr<Scalar>();
  auto *keys_gradient = g.keys.data_ptr<Scalar>(), *state_gradient = g.state.data_ptr<Scalar>(),
       *score_gradient = g.score.data_ptr<Scalar>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Scalar> scratch(sizes.positions);
    for (auto i = begin; i < end; ++i)
      attend_backward(sizes, keys + i * sizes.positions * sizes.width, map + i * sizes.positions * sizes.channels,
                      state + (first + i) * sizes.width, weights, alpha + (first + i) * sizes.positions,
                      context_gradient + (first + i) * sizes.channels, keys_gradient + i * sizes.positions * sizes.width,
                      state_gradient + (first + i) * sizes.width, score_gradient + i * sizes.width, scratch.data());
  });
}

template <typename Scalar>
void cell_step_backward(const Unrolled& u, const Tensor& cell_before, const Collected& g, std::int64_t first, std::int64_t count) {
  const auto width = u.cell.size(1);
  const auto *gates = u.gates.const_data_ptr<Scalar>(), *before = cell_before.const_data_ptr<Scalar>(),
             *cell = u.cell.const_data_ptr<Scalar>();
  const auto* hidden_gradient = g.hidden.const_data_ptr<Scalar>();
  auto *cell_gradient = g.cell.data_ptr<Scalar>(), *gates_gradient = g.gates.data_ptr<Scalar>();
  at::parallel_for(0, count, 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      lstm_cell_backward(width, gates + (first + i) * 4 * width, before + i * width, cell + (first + i) * width,
                         hidden_gradient + i * width, cell_gradient + i * width, gates_gradient + (first + i) * 4 * width);
  });
}

Collected unroll_backward(const Packing& packing, const Unrolled& u, const DecoderWeights& w, const SplitWeights& split,
                          const Tensor& hidden_gradient) {
  Collected g;
  g.gates = at::empty_like(u.gates);
  g.state = at::empty_like(u.state);
  g.context = at::empty_like(u.context);
  g.keys = at::zeros_like(u.keys);
  g.score = at::zeros({packing.sequences(), w.score.size(0)}, u.keys.options());
  g.hidden = at::zeros_like(u.hidden0);
  g.cell = at::zeros_like(u.cell0);
  const auto score = w.score.contiguous();
  for (std::int64_t t = packing.steps() - 1; t >= 0; --t) {
    const auto first = packing.first[t], count = packing.running_at[t];
    auto running = g.hidden.narrow(0, 0, count);
    running.add_(packing.step(hidden_gradient, t));
    const auto cell_before = u.before(packing, u.cell0, u.cell, t);
    AT_DISPATCH_FLOATING_TYPES(u.map.scalar_type(), "lstm_cell_backward",
                               [&] { cell_step_backward<scalar_t>(u, cell_before, g, first, count); });
    const auto gates = packing.step(g.gates, t);
    auto context = packing.step(g.context, t);
    at::mm_out(context, gates, split.context);
    AT_DISPATCH_FLOATING_TYPES(u.map.scalar_type(), "attend_backward", [&] { attend_step_backward<scalar_t>(u, score, g, first, count); });
    at::mm_out(running, gates, w.weight_hh);
    running.addmm_(packing.step(g.state, t), w.state_weight);
  }
  return g;
}

/// Σ_t alpha_t ⊗ (gradient of context_t) for each sequence: how the loss depends on the map through what was attended.
Tensor map_gradient(const Packing& packing, const Unrolled& u, const Collected& g) {
  const auto steps = packing.steps();
  const auto index = at::empty({packing.rows()}, at::kLong);
  auto* place = index.data_ptr<std::int64_t>();
  for (std::int64_t t = 0; t < steps; ++t)
    for (std::int64_t i = 0; i < packing.running_at[t]; ++i) place[packing.first[t] + i] = i * steps + t;
  const auto by_sequence = [&](const Tensor& packed) {
    return at::zeros({packing.sequences() * steps, packed.size(1)}, packed.options())
        .index_copy_(0, index, packed)
        .view({packing.sequences(), steps, packed.size(1)});
  };
  return at::bmm(by_sequence(u.alpha).transpose(1, 2), by_sequence(g.context));
}

/// Undoes index_select(0, order).
Tensor in_callers_order(const Tensor& sorted, const Tensor& order) { return at::empty_like(sorted).index_copy_(0, order, sorted); }

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

class TeacherForced : public torch::autograd::Function<TeacherForced> {
 public:
  static Variable forward(AutogradContext* context, const Variable& map, const Variable& keys, const Variable& hidden0,
                          const Variable& cell0, const Variable& inputs, const Variable& lengths, const Variable& state_weight,
                          const Variable& state_bias, const Variable& score, const Variable& weight_ih, const Variable& weight_hh,
                          const Variable& bias_ih, const Variable& bias_hh) {
    const Packing packing(lengths, inputs.size(1));
    const auto u =
        unroll(packing, {map, keys}, {hidden0, cell0}, inputs, {state_weight, state_bias, score, weight_ih, weight_hh, bias_ih, bias_hh});
    context->save_for_backward({u.map, u.keys, u.hidden0, u.cell0, u.inputs, u.gates, u.cell, u.hidden, u.state, u.alpha, u.context,
                                lengths, state_weight, score, weight_ih, weight_hh});
    context->saved_data["steps"] = inputs.size(1);
    return packing.pad(u.hidden, inputs.size(1));
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const auto saved = context->get_saved_variables();
    const Unrolled u{saved[0], saved[1], saved[2], saved[3], saved[4], saved[5], saved[6], saved[7], saved[8], saved[9], saved[10]};
    const Packing packing(saved[11], context->saved_data["steps"].toInt());
    const DecoderWeights w{.state_weight = saved[12],
                           .state_bias = {},
                           .score = saved[13],
                           .weight_ih = saved[14],
                           .weight_hh = saved[15],
                           .bias_ih = {},
                           .bias_hh = {}};
    const SplitWeights split(w, u.map.size(2));
    const auto g = unroll_backward(packing, u, w, split, packing.pack(output_gradients[0].contiguous()));
    const auto order = packing.order_index();
    const auto hidden_before = packing.previous(u.hidden, u.hidden0);
    const auto bias = g.gates.sum(0);
    const auto map = context->needs_input_grad(0) ? in_callers_order(map_gradient(packing, u, g), order) : Tensor();
    return {map,
            in_callers_order(g.keys, order),
            in_callers_order(g.hidden, order),
            in_callers_order(g.cell, order),
            Tensor(),
            Tensor(),
            g.state.t().mm(hidden_before),
            g.state.sum(0),
            g.score.sum(0),
            at::cat({g.gates.t().mm(u.context), g.gates.t().mm(u.inputs)}, 1),
            g.gates.t().mm(hidden_before),
            bias,
            bias.clone()};  // a tensor of its own: gradients may be taken over without a copy and added to in place
  }
};

}  // namespace

DecoderState decoder_step(const DecoderPhotos& photos, const DecoderState& state, const Tensor& point, const DecoderWeights& w) {
  const auto joint = at::tanh(photos.keys + at::linear(state.hidden, w.state_weight, w.state_bias).unsqueeze(1));
  const auto alpha = at::softmax(joint.matmul(w.score), 1);
  const auto context = alpha.unsqueeze(1).bmm(photos.map).squeeze(1);
  const auto gates =
      (at::linear(at::cat({context, point}, 1), w.weight_ih, w.bias_ih) + at::linear(state.hidden, w.weight_hh, w.bias_hh)).chunk(4, 1);
  const auto cell = gates[1].sigmoid() * state.cell + gates[0].sigmoid() * gates[2].tanh();
  return {gates[3].sigmoid() * cell.tanh(), cell};
}

Tensor teacher_forced(const DecoderPhotos& photos, const DecoderState& start, const Tensor& inputs, const Tensor& lengths,
                      const DecoderWeights& w) {
  if (!photos.map.is_cpu()) return teacher_forced_plain(photos, start, inputs, lengths, w);
  DUET_CHECK(!inputs.requires_grad(), "the points of teacher forcing are constants");
  return TeacherForced::apply(photos.map, photos.keys, start.hidden, start.cell, inputs, lengths, w.state_weight, w.state_bias, w.score,
                              w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh);
}

Tensor teacher_forced_plain(const DecoderPhotos& photos, const DecoderState& start, const Tensor& inputs, const Tensor& lengths,
                            const DecoderWeights& w) {
  std::vector<Tensor> hidden;
  auto state = start;
  for (std::int64_t t = 0; t < inputs.size(1); ++t) {
    state = decoder_step(photos, state, inputs.select(1, t), w);
    hidden.push_back(state.hidden);
  }
  const auto running = at::arange(inputs.size(1), at::kLong).unsqueeze(0).lt(lengths.unsqueeze(1)).to(photos.map.device());
  return at::stack(hidden, 1) * running.unsqueeze(2).to(photos.map.scalar_type());
}

}  // namespace duet
