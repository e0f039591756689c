#pragma once
#include "trainer/learning/learner.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"

namespace duet {

/// F on labelled pairs (docs/method.md §2.3, §2.5), and its average of weights.
class RetrievalFit : public Phase {
 public:
  RetrievalFit(const PhaseContext& context, Learner& learner);

  StepReport step(std::int64_t done) override;
  StepSamples samples_per_step() const override {
    const auto batch = context_.config.retrieval.batch;
    return {.samples = 2 * batch, .triplets = batch, .photos = batch};
  }

 private:
  PhaseContext context_;
  Learner& learner_;
};

/// Linear warm-up to retrieval.learning_rate over retrieval.warmup_steps.
double retrieval_learning_rate(const RetrievalConfig& config, std::int64_t done);

}  // namespace duet
