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

template <typename Scalar>
void copy(const Tensor& tensor, Scalar* target) {
  const auto values = tensor.contiguous();
  std::copy_n(values.template const_data_ptr<Scalar>(), values.numel(), target);
}

/// All weights in the order in which drawing reads them; shared by the threads.
template <typename Scalar>
struct PackedDecoder {
  PackedDecoder(const DecoderWeights& w, const OutputWeights& output)
      : hidden(w.weight_hh.size(1)),
        channels(w.weight_ih.size(1) - 5),
        width(w.score.size(0)),
        mixtures((output.weight.size(0) - 3) / 6),
        state_begin((output.weight.size(0) + kPanel - 1) / kPanel * kPanel),
        score(w.score.contiguous()),
        from_hidden(state_begin + width, hidden),
        from_features(4 * hidden, channels + 5 + hidden),
        hidden_bias(from_hidden.padded_outputs()),
        features_bias(from_features.padded_outputs()) {
    set(from_hidden, output.weight, 0, 0);
    set(from_hidden, w.state_weight, state_begin, 0);
    set(from_features, w.weight_ih, 0, 0);
    set(from_features, w.weight_hh, 0, channels + 5);
    copy(output.bias, hidden_bias.data());
    copy(w.state_bias, hidden_bias.data() + state_begin);
    copy(w.bias_ih + w.bias_hh, features_bias.data());
  }

  static constexpr auto kPanel = PackedMatrix<Scalar>::kPanel;
  static void set(PackedMatrix<Scalar>& matrix, const Tensor& weight, std::int64_t first_output, std::int64_t first_input) {
    const auto rows = weight.contiguous();
    matrix.set(rows.template const_data_ptr<Scalar>(), rows.size(0), rows.size(1), rows.size(1), first_output, first_input);
  }

  std::int64_t hidden, channels, width, mixtures;
  std::int64_t state_begin;  ///< where the attention's part of from_hidden's outputs begins; the output layer stands before it
  Tensor score;
  PackedMatrix<Scalar> from_hidden;    ///< W_y, W_S: both read the hidden state alone
  PackedMatrix<Scalar> from_features;  ///< the LSTM's weights
  AlignedBuffer<Scalar> hidden_bias, features_bias;
};

/// Some drawings in the making, by one thread: threads share nothing but weights and wait for nobody, so that a busy machine slows them no
/// more than its share. Rows of the work buffers are the drawings that have not ended, in the order of their photos; a row that ends is
/// taken out, so that its steps cost nothing from there on.
template <typename Scalar>
class Easel {
 public:
  /// For photos first … last − 1.
  Easel(const PackedDecoder<Scalar>& decoder, const DecoderPhotos& photos, const DecoderState& start, std::int64_t first, std::int64_t last)
      : decoder_(decoder),
        sizes_{photos.map.size(1), photos.map.size(2), photos.keys.size(2)},
        map_(photos.map.template const_data_ptr<Scalar>()),
        keys_(photos.keys.template const_data_ptr<Scalar>()),
        features_((last - first) * decoder.from_features.inputs()),
        cells_((last - first) * decoder.hidden),
        raw_(PackedMatrix<Scalar>::padded_rows(last - first) * decoder.from_hidden.padded_outputs()),
        gates_(PackedMatrix<Scalar>::padded_rows(last - first) * decoder.from_features.padded_outputs()),
        interleaved_(PackedMatrix<Scalar>::padded_rows(last - first) * decoder.from_features.inputs()),
        alpha_(sizes_.positions),
        rows_(last - first) {
    std::iota(rows_.begin(), rows_.end(), first);
    copy(start.cell.slice(0, first, last), cells_.data());
    for (std::int64_t i = 0; i < count(); ++i) {
      copy(start.hidden[rows_[i]], hidden(i));
      point(i)[2] = 1;  // the start token: nowhere yet, pen on the paper
    }
  }

  /// Draws into the photos' rows of `drawing`, whose tensors have max_steps steps.
  void draw(const DrawOptions& options, const Tensor& noise, Drawing& drawing) {
    project_hidden();
    for (std::int64_t t = 0; t < options.max_steps && count() > 0; ++t) {
      advance();
      project_hidden();
      put_down(t, options, noise, drawing);
    }
  }

 private:
  std::int64_t count() const { return static_cast<std::int64_t>(rows_.size()); }
  // A row of features is what the LSTM reads: attended map, point, hidden state.
  Scalar* context(std::int64_t row) { return features_.data() + row * decoder_.from_features.inputs(); }
  Scalar* point(std::int64_t row) { return context(row) + decoder_.channels; }
  Scalar* hidden(std::int64_t row) { return point(row) + 5; }
  Scalar* raw(std::int64_t row) { return raw_.data() + row * decoder_.from_hidden.padded_outputs(); }

  /// Hidden states → output layer and the state's part of the attention.
  void project_hidden() {
    decoder_.from_hidden.interleave(hidden(0), count(), decoder_.from_features.inputs(), interleaved_.data());
    decoder_.from_hidden.multiply(interleaved_.data(), count(), decoder_.hidden_bias.data(), raw_.data());
  }

  /// Attention and LSTM: the next hidden state of every row.
  void advance() {
    const auto& lstm = decoder_.from_features;
    const auto* score = decoder_.score.template const_data_ptr<Scalar>();
    for (std::int64_t i = 0; i < count(); ++i)
      attend(sizes_, keys_ + rows_[i] * sizes_.positions * sizes_.width, map_ + rows_[i] * sizes_.positions * sizes_.channels,
             raw(i) + decoder_.state_begin, score, alpha_.data(), context(i));
    lstm.interleave(context(0), count(), lstm.inputs(), interleaved_.data());
    lstm.multiply(interleaved_.data(), count(), decoder_.features_bias.data(), gates_.data());
    for (std::int64_t i = 0; i < count(); ++i) {
      Scalar* cell = cells_.data() + i * decoder_.hidden;
      lstm_cell(decoder_.hidden, gates_.data() + i * lstm.padded_outputs(), cell, cell, hidden(i));
    }
  }

  /// Draws step t of every row from the output layer, records it, and takes out the rows that end.
  void put_down(std::int64_t t, const DrawOptions& options, const Tensor& noise, Drawing& drawing) {
    auto* offsets = drawing.offsets.template data_ptr<Scalar>();
    auto *pens = drawing.pen.template data_ptr<std::int64_t>(), *lengths = drawing.length.template data_ptr<std::int64_t>();
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < count(); ++i) {
      const auto photo = rows_[i], place = photo * options.max_steps + t;
      const auto* draws = options.temperature > 0 ? noise.template const_data_ptr<double>() + (photo * noise.size(1) + t) * 4 : nullptr;
      const auto step = draw_step(raw(i), decoder_.mixtures, options.temperature, options.ignore_end, draws);
      if (!std::isfinite(step.dx) || !std::isfinite(step.dy))
        throw NumericalError("generator: step {} of the drawing of photo {} in its batch is not finite ({}, {})", t, photo, step.dx,
                             step.dy);
      offsets[place * 2] = static_cast<Scalar>(step.dx);
      offsets[place * 2 + 1] = static_cast<Scalar>(step.dy);
      pens[place] = step.pen;
      if (options.keep_hidden)
        std::copy_n(hidden(i), decoder_.hidden, drawing.hidden.template data_ptr<Scalar>() + place * decoder_.hidden);
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
    std::copy_n(context(from), decoder_.from_features.inputs(), context(to));
    std::copy_n(cells_.data() + from * decoder_.hidden, decoder_.hidden, cells_.data() + to * decoder_.hidden);
    std::copy_n(raw(from), decoder_.from_hidden.padded_outputs(), raw(to));
  }

  const PackedDecoder<Scalar>& decoder_;
  const AttentionSizes sizes_;
  const Scalar *map_, *keys_;
  AlignedBuffer<Scalar> features_, cells_, raw_, gates_, interleaved_;
  std::vector<Scalar> alpha_;
  std::vector<std::int64_t> rows_;  ///< photo of each row
};

template <typename Scalar>
Drawing draw_all(const DecoderPhotos& photos, const DecoderState& start, const PackedDecoder<Scalar>& decoder, const DrawOptions& options,
                 const Tensor& noise) {
  const auto n = photos.map.size(0), steps = options.max_steps;
  const auto values = photos.map.options();
  Drawing drawing{at::zeros({n, steps, 2}, values), at::full({n, steps}, 2, at::kLong), at::full({n}, steps, at::kLong), {}};
  if (options.keep_hidden) drawing.hidden = at::zeros({n, steps, decoder.hidden}, values);
  constexpr std::int64_t kLeastRows = 4;  // fewer would only read the weights more often
  at::parallel_for(0, n, kLeastRows, [&](std::int64_t first, std::int64_t last) {
    Easel<Scalar>(decoder, photos, start, first, last).draw(options, noise, drawing);
  });
  const auto longest = drawing.length.max().template item<std::int64_t>();
  for (auto* tensor : {&drawing.offsets, &drawing.pen, &drawing.hidden})
    if (tensor->defined()) *tensor = tensor->narrow(1, 0, longest).contiguous();
  return drawing;
}

}  // namespace

Drawing draw_on_cpu(const DecoderPhotos& photos, const DecoderState& start, const DecoderWeights& weights, const OutputWeights& output,
                    const DrawOptions& options, const Tensor& noise) {
  const at::NoGradGuard guard;
  if (options.temperature > 0)
    DUET_CHECK(noise.defined() && noise.scalar_type() == at::kDouble && noise.is_contiguous() && noise.size(0) == photos.map.size(0) &&
                   noise.size(1) >= options.max_steps && noise.size(2) == 4,
               "sampling {} drawings of {} steps needs float64 noise of that shape", photos.map.size(0), options.max_steps);
  const DecoderPhotos rows{photos.map.contiguous(), photos.keys.contiguous()};
  return AT_DISPATCH_FLOATING_TYPES(rows.map.scalar_type(), "draw", [&] {
    return draw_all<scalar_t>(rows, start, PackedDecoder<scalar_t>(weights, output), options, noise);
  });
}

}  // namespace duet
