#include "trainer/kernels/lstm_cell.h"

#include "trainer/kernels/vector_math.h"

namespace duet {
namespace {

template <typename Scalar>
[[gnu::always_inline]] inline void lstm_cell_any(std::int64_t width, Scalar* gates, const Scalar* cell_before, Scalar* cell,
                                                 Scalar* hidden) {
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) {
    const Scalar in = vector_sigmoid(gates[i]);
    const Scalar forget = vector_sigmoid(gates[width + i]);
    const Scalar candidate = vector_tanh(gates[2 * width + i]);
    const Scalar out = vector_sigmoid(gates[3 * width + i]);
    gates[i] = in;
    gates[width + i] = forget;
    gates[2 * width + i] = candidate;
    gates[3 * width + i] = out;
    const Scalar now = forget * cell_before[i] + in * candidate;
    cell[i] = now;
    hidden[i] = out * vector_tanh(now);
  }
}

template <typename Scalar>
[[gnu::always_inline]] inline void lstm_cell_backward_any(std::int64_t width, const Scalar* gates, const Scalar* cell_before,
                                                          const Scalar* cell, const Scalar* hidden_gradient, Scalar* cell_gradient,
                                                          Scalar* gates_gradient) {
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) {
    const Scalar in = gates[i], forget = gates[width + i], candidate = gates[2 * width + i], out = gates[3 * width + i];
    const Scalar squashed = vector_tanh(cell[i]);
    const Scalar gradient = cell_gradient[i] + hidden_gradient[i] * out * (1 - squashed * squashed);
    gates_gradient[i] = gradient * candidate * in * (1 - in);
    gates_gradient[width + i] = gradient * cell_before[i] * forget * (1 - forget);
    gates_gradient[2 * width + i] = gradient * in * (1 - candidate * candidate);
    gates_gradient[3 * width + i] = hidden_gradient[i] * squashed * out * (1 - out);
    cell_gradient[i] = gradient * forget;
  }
}

}  // namespace

DUET_VECTORISED void lstm_cell(std::int64_t width, float* gates, const float* cell_before, float* cell, float* hidden) {
  lstm_cell_any(width, gates, cell_before, cell, hidden);
}

void lstm_cell(std::int64_t width, double* gates, const double* cell_before, double* cell, double* hidden) {
  lstm_cell_any(width, gates, cell_before, cell, hidden);
}

DUET_VECTORISED void lstm_cell_backward(std::int64_t width, const float* gates, const float* cell_before, const float* cell,
                                        const float* hidden_gradient, float* cell_gradient, float* gates_gradient) {
  lstm_cell_backward_any(width, gates, cell_before, cell, hidden_gradient, cell_gradient, gates_gradient);
}

void lstm_cell_backward(std::int64_t width, const double* gates, const double* cell_before, const double* cell,
                        const double* hidden_gradient, double* cell_gradient, double* gates_gradient) {
  lstm_cell_backward_any(width, gates, cell_before, cell, hidden_gradient, cell_gradient, gates_gradient);
}

}  // namespace duet
