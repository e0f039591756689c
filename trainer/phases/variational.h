#pragma once
#include "trainer/objectives/vae_loss.h"
#include "trainer/phases/context.h"

namespace duet {

/// G's variational loss on one global batch (docs/method.md §3.5).
struct VariationalLoss {
  Tensor loss;                 ///< the rank's share
  Tensor reconstruction;       ///< sum over the rank's rows
  double mean_divergence = 0;  ///< over the global batch
};

enum class VariationalReach { output_layer, all };  ///< which of G's parameters the gradient reaches

/// map: of the batch's photos, with gradient where the encoder is trained. `stream`, `done`: whose latent noise it is. `global`: all but the
/// mean divergence. Collective on ranks.statistics.
VariationalLoss variational_loss(const PhaseContext& context, const Batch& batch, const Tensor& map, StreamName stream, std::int64_t done,
                                 VaeBatch global, VariationalReach reach);

}  // namespace duet
