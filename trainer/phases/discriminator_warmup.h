#pragma once
#include "trainer/learning/learner.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"

namespace duet {

/// D alone on human and generated pairs, before its scores count (docs/method.md §4): else the certainty weights begin at chance.
class DiscriminatorWarmup : public Phase {
 public:
  DiscriminatorWarmup(const PhaseContext& context, Learner& learner);

  StepReport step(std::int64_t done) override;
  StepSamples samples_per_step() const override {
    const auto& joint = context_.config.joint;
    const auto photos = joint.labelled_batch + joint.pool_batch;
    return {.samples = photos, .photos = photos, .pseudo_sketches = joint.pool_batch};
  }

 private:
  PhaseContext context_;
  Learner& learner_;
};

/// One step of D on these pairs (paper Eq. 5): one forward pass over all. Returns what a step reports of it.
StepReport train_discriminator(const PhaseContext& context, Learner& learner, const Tensor& human_photos, const Tensor& human_rasters,
                               const Tensor& generated_photos, const Tensor& generated_rasters);

}  // namespace duet
