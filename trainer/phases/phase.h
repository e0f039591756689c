#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace duet {

/// What a step reports, by name. Values are the rank's share: added over ranks they are the global figure. Names and order are the same on
/// all ranks and in all steps of a phase.
using Scalars = std::vector<std::pair<std::string, double>>;

/// One kind of training step (architecture.md §2). Owns neither schedule nor communication beyond its networks' reducers.
class Phase {
 public:
  virtual ~Phase() = default;

  /// Collective. `done`: steps of this phase in this stage so far; equal on all ranks. Throws NumericalError when the step is not finite.
  virtual Scalars step(std::int64_t done) = 0;

  /// Training samples of one global step: photos and sketches that pass the networks. For rates.
  virtual std::int64_t samples_per_step() const = 0;

  /// What the next step depends on besides networks, optimisers and streams, for the checkpoint; null: nothing.
  virtual Json place() const { return {}; }
  virtual void set_place(const Json&) {}
};

}  // namespace duet
