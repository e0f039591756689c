#pragma once
#include "trainer/learning/learner.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"

namespace duet {

/// G on drawings with the variational loss (docs/method.md §3.5): on strokes, whose own rasters are the photos (docs/method.md §3.7), or on
/// labelled pairs.
class GeneratorFit : public Phase {
 public:
  /// `stream`: strokes or generator_pairs. `learner`: of generator.trained_parameters().
  GeneratorFit(const PhaseContext& context, StreamName stream, Learner& learner);

  StepReport step(std::int64_t done) override;
  StepSamples samples_per_step() const override {
    const auto batch = context_.config.generator.batch;
    return {.samples = batch, .photos = batch};
  }

 private:
  Tensor maps_of(const Batch& batch) const;

  PhaseContext context_;
  StreamName stream_;
  Learner& learner_;
};

}  // namespace duet
