#pragma once
#include <cstdint>

namespace duet {

/// Sizes of one photo's attention: positions of its map, channels, width of the keys.
struct AttentionSizes {
  std::int64_t positions, channels, width;
};

/// Attention of one photo at one step (docs/method.md §3.3, paper Eq. 2):
///   e_p = Σ_a score_a · tanh(keys_pa + state_a),  alpha = softmax(e),  context = Σ_p alpha_p · map_p.
/// keys [positions, width], map [positions, channels], state and score [width] → alpha [positions], context [channels].
void attend(const AttentionSizes& sizes, const float* keys, const float* map, const float* state, const float* score, float* alpha,
            float* context);
void attend(const AttentionSizes& sizes, const double* keys, const double* map, const double* state, const double* score, double* alpha,
            double* context);

/// Its backward pass, from the gradient of context. The tanh is computed again. keys_gradient [positions, width] and score_gradient [width]
/// are added to, state_gradient [width] is written. `scratch`: [positions].
void attend_backward(const AttentionSizes& sizes, const float* keys, const float* map, const float* state, const float* score,
                     const float* alpha, const float* context_gradient, float* keys_gradient, float* state_gradient, float* score_gradient,
                     float* scratch);
void attend_backward(const AttentionSizes& sizes, const double* keys, const double* map, const double* state, const double* score,
                     const double* alpha, const double* context_gradient, double* keys_gradient, double* state_gradient,
                     double* score_gradient, double* scratch);

}  // namespace duet
