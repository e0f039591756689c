#pragma once
#include <cstdint>

#include "base/json.h"
#include "trainer/phases/step_report.h"

namespace duet {

/// What passes the networks in a step, over all ranks.
struct StepSamples {
  std::int64_t samples = 0;          ///< photos and sketches that pass the trained networks
  std::int64_t triplets = 0;         ///< rows of the retrieval objective
  std::int64_t photos = 0;           ///< among the samples
  std::int64_t pseudo_sketches = 0;  ///< drawn by the generator; those of a block count evenly over its steps
};

/// One kind of training step (docs/architecture.md §3). Owns neither schedule nor communication beyond its networks' reducers.
class Phase {
 public:
  virtual ~Phase() = default;

  /// Collective. `done`: steps of this phase in this stage so far; equal on all ranks. Throws NumericalError when the step is not finite.
  virtual StepReport step(std::int64_t done) = 0;

  /// Of one global step. For rates.
  virtual StepSamples samples_per_step() const = 0;

  /// What the next step depends on besides networks, optimisers and streams, for the checkpoint; null: nothing.
  virtual Json place() const { return {}; }
  virtual void set_place(const Json&) {}
};

}  // namespace duet
