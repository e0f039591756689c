#pragma once
#include <map>
#include <memory>
#include <string>

#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/learning/learner.h"
#include "trainer/phases/context.h"
#include "trainer/phases/phase.h"
#include "trainer/schedule/schedule.h"

namespace duet {

/// Everything a training changes from step to step: networks, optimisers, streams and counters; and the phases, which work on them. What
/// content() saves and restore() brings back is all that the next step depends on.
class RunState {
 public:
  RunState(const TrainingConfig& config, const Ranks& ranks, const Device& device, TrainingData data);

  /// The phase of a stage, made when it is first asked for. Entering the joint stage freezes the teacher and drops the moments of the
  /// generator's own fit. A phase stays valid until one of another stage is asked for.
  Phase& phase(Stage stage, PhaseName name);

  /// F, average, teacher, G, D, moments, places. Names of files: docs/architecture.md §4.4.
  CheckpointContent content() const;
  void restore(const Checkpoint& checkpoint);

  /// Throws InternalError naming the network when ranks hold different parameters or running statistics. Collective.
  void require_equal_weights() const;

  PhaseContext context();

  StepCounts counts;
  Networks networks;
  Streams streams;
  bool joint_begun = false;

 private:
  void begin_joint();
  void end_generator_fit();
  Learner& retrieval_learner();
  Learner& generator_learner(bool joint);
  Learner& discriminator_learner();
  Learner& learner(const std::string& name, const std::function<std::unique_ptr<Learner>()>& make);
  std::unique_ptr<Phase> make_phase(Stage stage, PhaseName name);

  const TrainingConfig& config_;
  Ranks ranks_;
  Device device_;
  FeatureCache cache_;
  // Made when first used; what a checkpoint says of them waits until then.
  std::map<std::string, std::unique_ptr<Learner>> learners_;
  struct SavedLearner {
    NamedTensors state;
    Json order;
    std::int64_t skipped_in_a_row = 0;
  };
  std::map<std::string, SavedLearner> saved_learners_;
  std::map<std::string, std::unique_ptr<Phase>> phases_;  ///< by "STAGE/PHASE", as progress.json has their places
  Json saved_places_ = Json::object();
};

}  // namespace duet
