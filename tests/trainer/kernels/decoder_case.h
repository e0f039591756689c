#pragma once
#include "base/random.h"
#include "trainer/kernels/drawing.h"

namespace duet {

/// A small decoder with random weights, and the same mathematics as plain loops over doubles, written from docs/method.md §3.2 to §3.4.
struct DecoderCase {
  std::int64_t photos, positions, channels, width, hidden, mixtures;
  DecoderPhotos seen;
  DecoderState start;
  DecoderWeights weights;
  OutputWeights output;

  explicit DecoderCase(std::int64_t n, std::int64_t hidden_width = 7, std::uint64_t seed = 1, at::ScalarType type = at::kDouble)
      : photos(n), positions(6), channels(4), width(5), hidden(hidden_width), mixtures(3) {
    KeyedRandom random(seed, Purpose::test, 0, 0);
    const auto make = [&](std::vector<std::int64_t> shape, double scale) {
      auto values = at::empty(shape, at::kDouble);
      for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = scale * random.normal();
      return values.to(type);
    };
    weights = {.state_weight = make({width, hidden}, 0.6),
               .state_bias = make({width}, 0.6),
               .score = make({width}, 1),
               .weight_ih = make({4 * hidden, channels + 5}, 0.5),
               .weight_hh = make({4 * hidden, hidden}, 0.4),
               .bias_ih = make({4 * hidden}, 0.3),
               .bias_hh = make({4 * hidden}, 0.3)};
    output = {make({6 * mixtures + 3, hidden}, 0.7), make({6 * mixtures + 3}, 0.3)};
    // Photos last: the weights do not change with their number.
    seen = {make({n, positions, channels}, 1), make({n, positions, width}, 1)};
    start = {make({n, hidden}, 0.5), make({n, hidden}, 0.5)};
  }

  DecoderPhotos photos_at(const std::vector<std::int64_t>& index) const {
    const auto i = at::tensor(index, at::kLong);
    return {seen.map.index_select(0, i), seen.keys.index_select(0, i)};
  }
  DecoderState start_at(const std::vector<std::int64_t>& index) const {
    const auto i = at::tensor(index, at::kLong);
    return {start.hidden.index_select(0, i), start.cell.index_select(0, i)};
  }
};

/// One photo's decoder in loops.
class LoopDecoder {
 public:
  LoopDecoder(const DecoderCase& of, std::int64_t photo) : case_(of), photo_(photo) {
    for (std::int64_t i = 0; i < of.hidden; ++i) {
      h_.push_back(at(of.start.hidden, {photo, i}));
      c_.push_back(at(of.start.cell, {photo, i}));
    }
  }

  /// Consumes a point and returns the new hidden state.
  const std::vector<double>& step(const std::vector<double>& point) {
    const auto& [positions, channels] = std::pair(case_.positions, case_.channels);
    const auto& w = case_.weights;
    std::vector<double> energy(positions), context(channels, 0);
    double total = 0;
    for (std::int64_t p = 0; p < positions; ++p) {
      for (std::int64_t a = 0; a < case_.width; ++a) {
        double joint = at(case_.seen.keys, {photo_, p, a}) + at(w.state_bias, {a});
        for (std::int64_t i = 0; i < case_.hidden; ++i) joint += at(w.state_weight, {a, i}) * h_[i];
        energy[p] += at(w.score, {a}) * std::tanh(joint);
      }
      total += std::exp(energy[p]);
    }
    for (std::int64_t p = 0; p < positions; ++p)
      for (std::int64_t k = 0; k < channels; ++k) context[k] += std::exp(energy[p]) / total * at(case_.seen.map, {photo_, p, k});
    std::vector<double> gates(4 * case_.hidden);
    for (std::int64_t g = 0; g < 4 * case_.hidden; ++g) {
      gates[g] = at(w.bias_ih, {g}) + at(w.bias_hh, {g});
      for (std::int64_t k = 0; k < channels; ++k) gates[g] += at(w.weight_ih, {g, k}) * context[k];
      for (std::int64_t k = 0; k < 5; ++k) gates[g] += at(w.weight_ih, {g, channels + k}) * point[k];
      for (std::int64_t i = 0; i < case_.hidden; ++i) gates[g] += at(w.weight_hh, {g, i}) * h_[i];
    }
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    for (std::int64_t i = 0; i < case_.hidden; ++i) {
      c_[i] = sigmoid(gates[case_.hidden + i]) * c_[i] + sigmoid(gates[i]) * std::tanh(gates[2 * case_.hidden + i]);
      h_[i] = sigmoid(gates[3 * case_.hidden + i]) * std::tanh(c_[i]);
    }
    return h_;
  }

  /// The output layer on the present hidden state.
  std::vector<double> raw() const {
    std::vector<double> y;
    for (std::int64_t o = 0; o < case_.output.bias.size(0); ++o) {
      y.push_back(at(case_.output.bias, {o}));
      for (std::int64_t i = 0; i < case_.hidden; ++i) y.back() += at(case_.output.weight, {o, i}) * h_[i];
    }
    return y;
  }

 private:
  static double at(const Tensor& tensor, std::initializer_list<std::int64_t> place) {
    std::int64_t offset = 0, dimension = 0;
    for (const auto i : place) offset += i * tensor.stride(dimension++);
    return tensor.scalar_type() == at::kDouble ? tensor.const_data_ptr<double>()[offset] : tensor.const_data_ptr<float>()[offset];
  }

  const DecoderCase& case_;
  std::int64_t photo_;
  std::vector<double> h_, c_;
};

}  // namespace duet
