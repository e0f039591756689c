#pragma once
#include <cstdint>

namespace duet {

/// One LSTM cell of `width` units, after the products: gates [4·width] in the order input, forget, cell, output.
///   c = σ(f)·c_before + σ(i)·tanh(g),  h = σ(o)·tanh(c)
/// gates are replaced by their activations, which the backward pass wants. cell may be cell_before.
void lstm_cell(std::int64_t width, float* gates, const float* cell_before, float* cell, float* hidden);
void lstm_cell(std::int64_t width, double* gates, const double* cell_before, double* cell, double* hidden);

/// gates: activations; hidden_gradient: of h. cell_gradient: of c from later steps on entry, of c_before on return. gates_gradient: of the
/// gates before their activations.
void lstm_cell_backward(std::int64_t width, const float* gates, const float* cell_before, const float* cell, const float* hidden_gradient,
                        float* cell_gradient, float* gates_gradient);
void lstm_cell_backward(std::int64_t width, const double* gates, const double* cell_before, const double* cell,
                        const double* hidden_gradient, double* cell_gradient, double* gates_gradient);

}  // namespace duet
