#include "trainer/kernels/drawing.h"

#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "trainer/kernels/attention.h"
#include "trainer/kernels/lstm_cell.h"
#include "trainer/kernels/mixture_draw.h"
#include "trainer/kernels/packed_matrix.h"

namespace duet {
namespace {

/// Copies a slice of a weight into place, panels spread over the threads.
template <typename Scalar>
void pack(PackedMatrix<Scalar>& matrix, const Tensor& weight, std::int64_t first_output, std::int64_t first_input) {
  constexpr auto kPanel = PackedMatrix<Scalar>::kPanel;
  const auto rows = weight.contiguous();
  const auto outputs = rows.size(0), inputs = rows.size(1);
  const auto* data = rows.template const_data_ptr<Scalar>();
  at::parallel_for(0, (outputs + kPanel - 1) / kPanel, 4, [&](std::int64_t begin, std::int64_t end) {
    matrix.set(data + begin * kPanel * inputs, std::min(outputs, end * kPanel) - begin * kPanel, inputs, inputs,
               first_output + begin * kPanel, first_input);
  });
}

/// Drawings in the making. Rows of the work buffers are the drawings that have not ended, in the order of their photos; a row that ends is
/// taken out, so that its steps cost nothing from there on.
template <typename Scalar>
class Easel {
 public:
  Easel(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& w, const OutputWeights& output,
        const DrawOptions& options, const Tensor& noise)
      : photos_{photos.map.contiguous(), photos.keys.contiguous()},
        sizes_{photos.map.size(1), photos.map.size(2), photos.keys.size(2)},
        hidden_(start.hidden.size(1)),
        mixtures_((output.weight.size(0) - 3) / 6),
        options_(options),
        noise_(noise),
        outputs_(round_up(output.weight.size(0))),
        score_(w.score.contiguous()),
        from_hidden_(outputs_ + sizes_.width, hidden_),
        from_features_(4 * hidden_, sizes_.channels + 5 + hidden_),
        hidden_bias_(from_hidden_.padded_outputs()),
        feature_bias_(from_features_.padded_outputs()),
        features_(photos.map.size(0) * from_features_.inputs()),
        cells_(photos.map.size(0) * hidden_),
        raw_(photos.map.size(0) * from_hidden_.padded_outputs()),
        gates_(photos.map.size(0) * from_features_.padded_outputs()),
        interleaved_(from_features_.interleaved_size(photos.map.size(0))),
        drawn_(photos.map.size(0)),
        rows_(photos.map.size(0)) {
    pack(from_hidden_, output.weight, 0, 0);
    pack(from_hidden_, w.state_weight, outputs_, 0);
    pack(from_features_, w.weight_ih, 0, 0);
    pack(from_features_, w.weight_hh, 0, sizes_.channels + 5);
    copy(output.bias, hidden_bias_.data());
    copy(w.state_bias, hidden_bias_.data() + outputs_);
    copy(w.bias_ih + w.bias_hh, feature_bias_.data());
    copy(start.cell, cells_.data());
    const auto hidden = start.hidden.contiguous();
    for (std::int64_t i = 0; i < count(); ++i) {
      std::copy_n(hidden.template const_data_ptr<Scalar>() + i * hidden_, hidden_, hidden_row(i));
      point(i)[2] = 1;  // the start token: nowhere yet, pen on the paper
    }
    std::iota(rows_.begin(), rows_.end(), 0);
  }

  Drawing draw() {
    const auto n = count(), steps = options_.max_steps;
    const auto plain = at::TensorOptions().dtype(c10::CppTypeToScalarType<Scalar>::value);
    Drawing drawing{at::zeros({n, steps, 2}, plain), at::full({n, steps}, 2, at::kLong), at::full({n}, steps, at::kLong), {}};
    if (options_.keep_hidden) drawing.hidden = at::zeros({n, steps, hidden_}, plain);
    project_hidden();
    for (std::int64_t t = 0; t < steps && count() > 0; ++t) {
      advance();
      project_hidden();
      put_down(t, drawing);
    }
    const auto longest = drawing.length.max().template item<std::int64_t>();
    const auto trimmed = [&](const Tensor& x) { return x.defined() ? x.narrow(1, 0, longest).contiguous() : x; };
    return {trimmed(drawing.offsets), trimmed(drawing.pen), drawing.length, trimmed(drawing.hidden)};
  }

 private:
  static std::int64_t round_up(std::int64_t outputs) {
    constexpr auto kPanel = PackedMatrix<Scalar>::kPanel;
    return (outputs + kPanel - 1) / kPanel * kPanel;
  }
  static void copy(const Tensor& tensor, Scalar* target) {
    const auto values = tensor.contiguous();
    std::copy_n(values.template const_data_ptr<Scalar>(), values.numel(), target);
  }

  std::int64_t count() const { return static_cast<std::int64_t>(rows_.size()); }
  // A row of features is what the LSTM reads: attended map, point, hidden state.
  Scalar* context(std::int64_t row) { return features_.data() + row * from_features_.inputs(); }
  Scalar* point(std::int64_t row) { return context(row) + sizes_.channels; }
  Scalar* hidden_row(std::int64_t row) { return point(row) + 5; }

  void multiply(const PackedMatrix<Scalar>& matrix, const Scalar* source, const AlignedBuffer<Scalar>& bias,
                AlignedBuffer<Scalar>& result) {
    at::parallel_for(0, matrix.inputs(), 128, [&](std::int64_t begin, std::int64_t end) {
      matrix.interleave(source, count(), from_features_.inputs(), interleaved_.data(), begin, end);
    });
    at::parallel_for(0, matrix.panels(), 4, [&](std::int64_t begin, std::int64_t end) {
      matrix.multiply(interleaved_.data(), count(), bias.data(), result.data(), begin, end);
    });
  }

  /// Hidden states → output layer and the state's part of the attention: one product, since both read the same.
  void project_hidden() { multiply(from_hidden_, hidden_row(0), hidden_bias_, raw_); }

  /// Attention and LSTM: the next hidden state of every row.
  void advance() {
    const auto* keys = photos_.keys.template const_data_ptr<Scalar>();
    const auto* map = photos_.map.template const_data_ptr<Scalar>();
    at::parallel_for(0, count(), 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<Scalar> alpha(sizes_.positions);
      for (auto i = begin; i < end; ++i)
        attend(sizes_, keys + rows_[i] * sizes_.positions * sizes_.width, map + rows_[i] * sizes_.positions * sizes_.channels,
               raw_.data() + i * from_hidden_.padded_outputs() + outputs_, score_.template const_data_ptr<Scalar>(), alpha.data(),
               context(i));
    });
    multiply(from_features_, context(0), feature_bias_, gates_);
    at::parallel_for(0, count(), 4, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        Scalar* cell = cells_.data() + i * hidden_;
        lstm_cell(hidden_, gates_.data() + i * from_features_.padded_outputs(), cell, cell, hidden_row(i));
      }
    });
  }

  /// Draws step t of every row from the output layer, records it, and takes out the rows that end.
  void put_down(std::int64_t t, Drawing& drawing) {
    const auto* noise = options_.temperature > 0 ? noise_.template const_data_ptr<double>() : nullptr;
    at::parallel_for(0, count(), 4, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i)
        drawn_[i] = draw_step(raw_.data() + i * from_hidden_.padded_outputs(), mixtures_, options_.temperature, options_.ignore_end,
                              noise ? noise + (rows_[i] * noise_.size(1) + t) * 4 : nullptr);
    });
    auto* offsets = drawing.offsets.template data_ptr<Scalar>();
    auto *pens = drawing.pen.template data_ptr<std::int64_t>(), *lengths = drawing.length.template data_ptr<std::int64_t>();
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < count(); ++i) {
      const auto photo = rows_[i], place = photo * options_.max_steps + t;
      const auto& step = drawn_[i];
      if (!std::isfinite(step.dx) || !std::isfinite(step.dy))
        throw NumericalError("generator: step {} of the drawing of photo {} in its batch is not finite ({}, {})", t, photo, step.dx,
                             step.dy);
      offsets[place * 2] = static_cast<Scalar>(step.dx);
      offsets[place * 2 + 1] = static_cast<Scalar>(step.dy);
      pens[place] = step.pen;
      if (options_.keep_hidden) std::copy_n(hidden_row(i), hidden_, drawing.hidden.template data_ptr<Scalar>() + place * hidden_);
      if (step.pen == 2) {
        lengths[photo] = t + 1;
        continue;
      }
      point(i)[0] = static_cast<Scalar>(step.dx);
      point(i)[1] = static_cast<Scalar>(step.dy);
      for (int state = 0; state < 3; ++state) point(i)[2 + state] = step.pen == state;
      if (kept != i) move_row(i, kept);
      ++kept;
    }
    rows_.resize(kept);
  }

  void move_row(std::int64_t from, std::int64_t to) {
    rows_[to] = rows_[from];
    std::copy_n(context(from), from_features_.inputs(), context(to));
    std::copy_n(cells_.data() + from * hidden_, hidden_, cells_.data() + to * hidden_);
    std::copy_n(raw_.data() + from * from_hidden_.padded_outputs(), from_hidden_.padded_outputs(),
                raw_.data() + to * from_hidden_.padded_outputs());
  }

  const DecoderPhotos photos_;
  const AttentionSizes sizes_;
  const std::int64_t hidden_, mixtures_;
  const DrawOptions options_;
  const Tensor noise_;
  const std::int64_t outputs_;  ///< of the output layer, in whole panels; the attention's part of raw_ follows
  const Tensor score_;
  PackedMatrix<Scalar> from_hidden_;    ///< W_y, W_S
  PackedMatrix<Scalar> from_features_;  ///< the LSTM's weights
  AlignedBuffer<Scalar> hidden_bias_, feature_bias_;
  AlignedBuffer<Scalar> features_, cells_, raw_, gates_, interleaved_;
  std::vector<PlainStep> drawn_;
  std::vector<std::int64_t> rows_;  ///< photo of each row
};

}  // namespace

Drawing draw_on_cpu(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& weights, const OutputWeights& output,
                    const DrawOptions& options, const Tensor& noise) {
  const at::NoGradGuard guard;
  if (options.temperature > 0)
    DUET_CHECK(noise.defined() && noise.scalar_type() == at::kDouble && noise.is_contiguous() && noise.size(0) == photos.map.size(0) &&
                   noise.size(1) >= options.max_steps && noise.size(2) == 4,
               "sampling {} drawings of {} steps needs float64 noise of that shape", photos.map.size(0), options.max_steps);
  return AT_DISPATCH_FLOATING_TYPES(photos.map.scalar_type(), "draw",
                                    [&] { return Easel<scalar_t>(photos, start, weights, output, options, noise).draw(); });
}

}  // namespace duet
