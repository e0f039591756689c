#include "trainer/kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "trainer/kernels/vector_math.h"

namespace duet {
namespace {

template <typename Scalar>
[[gnu::always_inline]] inline void softmax(Scalar* values, std::int64_t count) {
  Scalar largest = values[0], sum = 0;
  for (std::int64_t i = 1; i < count; ++i) largest = std::max(largest, values[i]);
  for (std::int64_t i = 0; i < count; ++i) sum += values[i] = std::exp(values[i] - largest);
  for (std::int64_t i = 0; i < count; ++i) values[i] /= sum;
}

template <typename Scalar>
[[gnu::always_inline]] inline void attend_any(const AttentionSizes& sizes, const Scalar* keys, const Scalar* map, const Scalar* state,
                                              const Scalar* score, Scalar* alpha, Scalar* context) {
  const auto [positions, channels, width] = sizes;
  for (std::int64_t p = 0; p < positions; ++p) {
    const Scalar* key = keys + p * width;
    Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t a = 0; a < width; ++a) sum += score[a] * vector_tanh(key[a] + state[a]);
    alpha[p] = sum;
  }
  softmax(alpha, positions);
  std::fill(context, context + channels, Scalar(0));
  for (std::int64_t p = 0; p < positions; ++p) {
    const Scalar* row = map + p * channels;
    const Scalar weight = alpha[p];
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) context[c] += weight * row[c];
  }
}

template <typename Scalar>
[[gnu::always_inline]] inline void attend_backward_any(const AttentionSizes& sizes, const Scalar* keys, const Scalar* map,
                                                       const Scalar* state, const Scalar* score, const Scalar* alpha,
                                                       const Scalar* context_gradient, Scalar* keys_gradient, Scalar* state_gradient,
                                                       Scalar* score_gradient, Scalar* scratch) {
  const auto [positions, channels, width] = sizes;
  Scalar mean = 0;
  for (std::int64_t p = 0; p < positions; ++p) {
    const Scalar* row = map + p * channels;
    Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < channels; ++c) sum += context_gradient[c] * row[c];
    scratch[p] = sum;
    mean += alpha[p] * sum;
  }
  std::fill(state_gradient, state_gradient + width, Scalar(0));
  for (std::int64_t p = 0; p < positions; ++p) {
    const Scalar* key = keys + p * width;
    Scalar* key_gradient = keys_gradient + p * width;
    const Scalar energy_gradient = alpha[p] * (scratch[p] - mean);
#pragma omp simd
    for (std::int64_t a = 0; a < width; ++a) {
      const Scalar joint = vector_tanh(key[a] + state[a]);
      const Scalar gradient = energy_gradient * score[a] * (1 - joint * joint);
      key_gradient[a] += gradient;
      state_gradient[a] += gradient;
      score_gradient[a] += energy_gradient * joint;
    }
  }
}

}  // namespace

DUET_VECTORISED void attend(const AttentionSizes& sizes, const float* keys, const float* map, const float* state, const float* score,
                            float* alpha, float* context) {
  attend_any(sizes, keys, map, state, score, alpha, context);
}

void attend(const AttentionSizes& sizes, const double* keys, const double* map, const double* state, const double* score, double* alpha,
            double* context) {
  attend_any(sizes, keys, map, state, score, alpha, context);
}

DUET_VECTORISED void attend_backward(const AttentionSizes& sizes, const float* keys, const float* map, const float* state,
                                     const float* score, const float* alpha, const float* context_gradient, float* keys_gradient,
                                     float* state_gradient, float* score_gradient, float* scratch) {
  attend_backward_any(sizes, keys, map, state, score, alpha, context_gradient, keys_gradient, state_gradient, score_gradient, scratch);
}

void attend_backward(const AttentionSizes& sizes, const double* keys, const double* map, const double* state, const double* score,
                     const double* alpha, const double* context_gradient, double* keys_gradient, double* state_gradient,
                     double* score_gradient, double* scratch) {
  attend_backward_any(sizes, keys, map, state, score, alpha, context_gradient, keys_gradient, state_gradient, score_gradient, scratch);
}

}  // namespace duet
