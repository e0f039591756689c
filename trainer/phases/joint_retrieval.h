#pragma once
#include "trainer/learning/learner.h"
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

  struct Drawn {
    Batch labelled, plain;               ///< the same rows augmented, for F, and flipped only, for teacher and D
    Tensor plain_photos, plain_rasters;  ///< undefined where neither of the two is used
    const PoolBatch* pseudo = nullptr;   ///< generated pairs; null where nothing needs them
    const PoolBatch* pool = nullptr;     ///< the same, where F learns from them
  };
  struct Embedded {
    Tensor photo, sketch;  ///< [labelled rows, then pool rows; d]
    Embedded rows(std::int64_t first, std::int64_t count) const { return {photo.narrow(0, first, count), sketch.narrow(0, first, count)}; }
  };
  struct Losses {
    Tensor total, labelled, pool, drift;
    Tensor teacher;  ///< the teacher's distances; like pool and drift undefined where that term is off
  };

  // The parts of a step, in their order.
  Drawn draw(std::int64_t done);
  /// ω is a constant of this step, by D as it is before its own update (docs/method.md §5); undefined where it is not used.
  Tensor certainty_of(const Drawn& drawn) const;
  Embedded embed(const Drawn& drawn) const;
  Losses losses_of(const Drawn& drawn, const Embedded& embedded, const Tensor& certainty, std::int64_t done) const;
  StepReport report_of(const Losses& losses, const Tensor& certainty, double norm) const;

  /// For F's pseudo pairs, or for D alone, which needs generated pairs also where F does without (joint.pool = 0).
  bool draws_pseudo_sketches() const;
  const PoolBatch& pool_batch(std::int64_t done);
  void seek_pool(const StreamState& place);
  void draw_block(std::int64_t first_step);
  Tensor pairs_loss(const Embedded& embedded, const std::vector<std::int64_t>& photo, const Tensor& weight, StreamName stream,
                    std::int64_t done) const;
  Tensor teacher_distances(const Drawn& drawn) const;

  PhaseContext context_;
  Learner& retrieval_;
  Learner* discriminator_;
  std::int64_t block_start_ = -1;
  std::vector<PoolBatch> block_;
  Json block_place_;  ///< of the pool's stream before the present block
};

}  // namespace duet
