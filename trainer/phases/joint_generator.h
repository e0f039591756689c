#pragma once
#include "trainer/learning/learner.h"
#include "trainer/objectives/policy_gradient.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"

namespace duet {

/// One step of G in the joint loop (docs/method.md §7, §8.3; paper Eq. 8–9): the variational loss on labelled pairs, and REINFORCE on
/// labelled and pool photos with F and D, as they stand, as critics. The policy gradient reaches the output layer only; the variational
/// loss what joint.generator_scope says. Both gradients are clipped apart.
class JointGenerator : public Phase {
 public:
  /// The learner's part that the policy gradient reaches: the generator's output_parameters().
  static constexpr const char* kPolicyPart = "policy";

  /// `learner`: of output_parameters() (last_layer) or trained_parameters() (all), with that part, each loss's gradients clipped.
  JointGenerator(const PhaseContext& context, Learner& learner);

  StepReport step(std::int64_t done) override;
  StepSamples samples_per_step() const override;

  /// The reward's running mean, and the order of the policy's sums.
  Json place() const override;
  void set_place(const Json& place) override;

 private:
  struct Photos {
    Batch pairs;         ///< labelled, with sequences
    Tensor photos, map;  ///< labelled rows, then pool rows
    std::vector<std::int64_t> photo, group;
    NoiseKeys noise;  ///< of the drawn sketches
  };

  Photos next_photos(std::int64_t done);
  Tensor supervised_loss(const Photos& photos, std::int64_t done, StepReport& report) const;
  Tensor rewards(const Photos& photos, const Tensor& rasters, std::int64_t done) const;
  Tensor baseline(const Photos& photos, double mean_reward, std::int64_t done);
  Tensor policy_loss(const Photos& photos, std::int64_t done, StepReport& report);

  PhaseContext context_;
  Learner& learner_;
  RewardMean reward_mean_;
};

}  // namespace duet
