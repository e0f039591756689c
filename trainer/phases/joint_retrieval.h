#pragma once
#include "trainer/learning/learner.h"
#include "trainer/networks/pseudo_sketches.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"

namespace duet {

/// One step of F and D in the joint loop (docs/method.md §8.2, §8.3; paper Eq. 5–7): labelled pairs, pseudo pairs weighted by D's
/// certainty, distillation from the teacher; then D on the same pairs.
///
/// G is fixed for k_r steps, so their pseudo sketches are drawn at once, at the first of them. A resumed run draws the same block again:
/// place() says where the pool's stream stood before it.
class JointRetrieval : public Phase {
 public:
  /// `discriminator`: null when no term needs D.
  JointRetrieval(const PhaseContext& context, Learner& retrieval, Learner* discriminator);

  StepReport step(std::int64_t done) override;
  StepSamples samples_per_step() const override;

  Json place() const override { return block_place_; }
  void set_place(const Json& place) override { block_place_ = place; }

 private:
  struct PoolBatch {
    Batch augmented, plain;
    Tensor plain_photos, plain_rasters, moved_rasters;  ///< augmented and moved: only where F learns from the pool
  };

  /// For F's pseudo pairs, or for D alone, which needs generated pairs also where F does without (joint.pool = 0).
  bool draws_pseudo_sketches() const;
  void seek_pool(const StreamState& place);
  void draw_block(std::int64_t first_step);
  Tensor teacher_distance_labelled(const Batch& plain, const Tensor& photos, const Tensor& rasters) const;
  Tensor teacher_distance_pool(const PoolBatch& pool) const;

  PhaseContext context_;
  Learner& retrieval_;
  Learner* discriminator_;
  std::int64_t block_start_ = -1;
  std::vector<PoolBatch> block_;
  Json block_place_;  ///< of the pool's stream before the present block
};

}  // namespace duet
