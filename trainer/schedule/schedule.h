#pragma once
#include <cstdint>
#include <string>

#include "base/choice.h"
#include "base/json.h"
#include "trainer/config.h"

namespace duet {

/// The curriculum, in order. Words of these three stand in metrics, checkpoints and names of files.
DUET_CHOICE(Stage, strokes, pairs, retrieval, joint);
/// The kinds of training step; the classes in trainer/phases have their names.
DUET_CHOICE(PhaseName, generator_fit, retrieval_fit, discriminator_warmup, joint_retrieval, joint_generator);
/// What a line of metrics.jsonl, progress and status call a stage: the joint one's warm-up is told apart.
DUET_CHOICE(ShownStage, strokes, pairs, retrieval, warmup, joint);

/// How many steps of each phase a run has behind it. With the configuration, all that the schedule depends on.
struct StepCounts {
  std::int64_t strokes = 0;          ///< generator on strokes
  std::int64_t pairs = 0;            ///< generator on labelled pairs
  std::int64_t retrieval = 0;        ///< retrieval on labelled pairs
  std::int64_t warmup = 0;           ///< discriminator alone
  std::int64_t joint_retrieval = 0;  ///< F and D in the joint loop
  std::int64_t joint_generator = 0;  ///< G in the joint loop

  /// Steps of all phases together: the number in a checkpoint's name.
  std::int64_t total() const { return strokes + pairs + retrieval + warmup + joint_retrieval + joint_generator; }
  /// The counter of a phase in a stage.
  std::int64_t& of(Stage stage, PhaseName phase);

  bool operator==(const StepCounts&) const = default;
};

Json to_json(const StepCounts& counts);
StepCounts step_counts_from_json(const Json& json, const std::string& subject);

/// What comes next: a run of steps of one phase, up to the next point where something else has to be decided.
struct PhaseSteps {
  Stage stage = {};
  PhaseName phase = {};
  std::int64_t steps = 0;  ///< 0: the run is finished, and the rest says nothing
  std::int64_t done = 0;   ///< steps of this phase in this stage so far
  std::int64_t total = 0;  ///< and when the stage is over
  bool evaluate = false;   ///< after these steps
  bool samples = false;    ///< after these steps
  bool ends_stage = false;
};

ShownStage shown_stage(const PhaseSteps& planned);

/// The curriculum and the alternation of the joint stage (docs/method.md §8): a pure function, the same on every rank.
///   strokes → pairs → retrieval → joint: warm-up of D, then k_r steps of {F, D} and k_g steps of G in turn.
/// A phase all of whose terms have coefficient zero is left out, and the joint stage ends with its last retrieval step's cycle.
class Schedule {
 public:
  explicit Schedule(const TrainingConfig& config) : config_(config) {}

  PhaseSteps next(const StepCounts& counts) const;

  bool needs_pool() const;            ///< a term of the joint stage sees pool photos
  bool has_generator_stages() const;  ///< a generator is trained or used at all
  bool trains_discriminator() const;  ///< certainty weights or rewards need one
  bool trains_joint_generator() const;
  std::int64_t total_steps() const;  ///< of the whole run
  /// Of what is shown as a stage; of the joint one its retrieval steps.
  std::int64_t stage_steps(ShownStage stage) const;

 private:
  PhaseSteps next_joint(const StepCounts& counts) const;
  TrainingConfig config_;
};

}  // namespace duet
