#include "trainer/schedule/schedule.h"

#include <algorithm>

#include "base/error.h"

namespace duet {
namespace {

// Between two directives nothing from outside (clock, new pool generation) is looked at, so runs of steps are short.
constexpr std::int64_t kMostStepsAtOnce = 20;

std::int64_t steps_to_multiple(std::int64_t done, std::int64_t every) { return every > 0 ? every - done % every : kMostStepsAtOnce; }

PhaseSteps run_of_steps(Stage stage, PhaseName phase, std::int64_t done, std::int64_t total, std::int64_t evaluate_every,
                        std::int64_t samples_every) {
  PhaseSteps next{.stage = stage, .phase = phase, .done = done, .total = total};
  next.steps = std::min({kMostStepsAtOnce, total - done, steps_to_multiple(done, evaluate_every), steps_to_multiple(done, samples_every)});
  const auto after = done + next.steps;
  next.ends_stage = after == total;
  next.evaluate = evaluate_every > 0 && (after % evaluate_every == 0 || next.ends_stage);
  next.samples = samples_every > 0 && (after % samples_every == 0 || next.ends_stage);
  return next;
}

}  // namespace

std::int64_t& StepCounts::of(Stage stage, PhaseName phase) {
  switch (phase) {
    case PhaseName::generator_fit:
      return stage == Stage::strokes ? strokes : pairs;
    case PhaseName::retrieval_fit:
      return retrieval;
    case PhaseName::discriminator_warmup:
      return warmup;
    case PhaseName::joint_retrieval:
      return joint_retrieval;
    case PhaseName::joint_generator:
      return joint_generator;
  }
  throw InternalError("no phase {}", static_cast<int>(phase));
}

ShownStage shown_stage(const PhaseSteps& planned) {
  if (planned.phase == PhaseName::discriminator_warmup) return ShownStage::warmup;
  switch (planned.stage) {
    case Stage::strokes:
      return ShownStage::strokes;
    case Stage::pairs:
      return ShownStage::pairs;
    case Stage::retrieval:
      return ShownStage::retrieval;
    case Stage::joint:
      return ShownStage::joint;
  }
  throw InternalError("no stage {}", static_cast<int>(planned.stage));
}

Json to_json(const StepCounts& counts) {
  return Json{{"strokes", counts.strokes},
              {"pairs", counts.pairs},
              {"retrieval", counts.retrieval},
              {"warmup", counts.warmup},
              {"joint_retrieval", counts.joint_retrieval},
              {"joint_generator", counts.joint_generator}};
}

StepCounts step_counts_from_json(const Json& json, const std::string& subject) {
  auto read = [&](const char* key) {
    const auto value = member<std::int64_t>(json, key, subject);
    if (value < 0) throw DataError("{}: '{}' is negative.", subject, key);
    return value;
  };
  return {.strokes = read("strokes"),
          .pairs = read("pairs"),
          .retrieval = read("retrieval"),
          .warmup = read("warmup"),
          .joint_retrieval = read("joint_retrieval"),
          .joint_generator = read("joint_generator")};
}

bool Schedule::trains_joint_generator() const {
  return config_.joint.steps > 0 && config_.joint.generator_steps > 0 && (config_.joint.vae > 0 || config_.joint.policy > 0);
}

bool Schedule::trains_discriminator() const {
  const auto& joint = config_.joint;
  const bool certainty = joint.pool > 0 && joint.certainty > 0;
  const bool reward = trains_joint_generator() && joint.policy > 0 && joint.reward_discriminator > 0;
  return joint.steps > 0 && (certainty || reward);
}

bool Schedule::needs_pool() const {
  const auto& joint = config_.joint;
  return joint.steps > 0 && (joint.pool > 0 || trains_discriminator() || (trains_joint_generator() && joint.policy > 0));
}

bool Schedule::has_generator_stages() const {
  const bool fitted = config_.generator.stroke_steps > 0 || config_.generator.pair_steps > 0;
  return fitted || (config_.joint.steps > 0 && (config_.joint.pool > 0 || trains_joint_generator()));
}

std::int64_t Schedule::total_steps() const {
  const auto& joint = config_.joint;
  const auto cycles = joint.steps > 0 ? (joint.steps + joint.retrieval_steps - 1) / joint.retrieval_steps : 0;
  return config_.generator.stroke_steps + config_.generator.pair_steps + config_.retrieval.steps + joint.steps +
         (trains_discriminator() ? joint.discriminator_warmup : 0) + (trains_joint_generator() ? cycles * joint.generator_steps : 0);
}

std::int64_t Schedule::stage_steps(ShownStage stage) const {
  switch (stage) {
    case ShownStage::strokes:
      return config_.generator.stroke_steps;
    case ShownStage::pairs:
      return config_.generator.pair_steps;
    case ShownStage::retrieval:
      return config_.retrieval.steps;
    case ShownStage::warmup:
      return config_.joint.discriminator_warmup;
    case ShownStage::joint:
      return config_.joint.steps;
  }
  throw InternalError("no stage {}", static_cast<int>(stage));
}

PhaseSteps Schedule::next(const StepCounts& counts) const {
  const auto samples = config_.run.samples_every;
  if (counts.strokes < config_.generator.stroke_steps) {
    return run_of_steps(Stage::strokes, PhaseName::generator_fit, counts.strokes, config_.generator.stroke_steps, 0, samples);
  }
  if (counts.pairs < config_.generator.pair_steps) {
    return run_of_steps(Stage::pairs, PhaseName::generator_fit, counts.pairs, config_.generator.pair_steps, 0, samples);
  }
  if (counts.retrieval < config_.retrieval.steps) {
    auto next =
        run_of_steps(Stage::retrieval, PhaseName::retrieval_fit, counts.retrieval, config_.retrieval.steps, config_.run.evaluate_every, 0);
    next.evaluate = next.evaluate || next.ends_stage;
    return next;
  }
  return next_joint(counts);
}

PhaseSteps Schedule::next_joint(const StepCounts& counts) const {
  const auto& joint = config_.joint;
  if (joint.steps == 0) return {};
  if (trains_discriminator() && counts.warmup < joint.discriminator_warmup && counts.joint_retrieval == 0) {
    auto next = run_of_steps(Stage::joint, PhaseName::discriminator_warmup, counts.warmup, joint.discriminator_warmup, 0, 0);
    next.ends_stage = false;
    return next;
  }
  // Generator steps owed: k_g for every full cycle of k_r, and for the last, shorter cycle too.
  const bool retrieval_over = counts.joint_retrieval >= joint.steps;
  const auto cycles =
      retrieval_over ? (joint.steps + joint.retrieval_steps - 1) / joint.retrieval_steps : counts.joint_retrieval / joint.retrieval_steps;
  const auto owed = trains_joint_generator() ? cycles * joint.generator_steps - counts.joint_generator : 0;
  const bool mid_cycle = !retrieval_over && counts.joint_retrieval % joint.retrieval_steps != 0;
  if (owed > 0 && !mid_cycle) {
    PhaseSteps next{.stage = Stage::joint, .phase = PhaseName::joint_generator, .steps = owed, .done = counts.joint_generator};
    next.total = (joint.steps + joint.retrieval_steps - 1) / joint.retrieval_steps * joint.generator_steps;
    next.ends_stage = retrieval_over;
    next.evaluate = next.samples = next.ends_stage;
    return next;
  }
  if (retrieval_over) return {};
  auto next = run_of_steps(Stage::joint, PhaseName::joint_retrieval, counts.joint_retrieval, joint.steps, config_.run.evaluate_every,
                           config_.run.samples_every);
  next.steps = std::min(next.steps, joint.retrieval_steps - counts.joint_retrieval % joint.retrieval_steps);
  const auto after = counts.joint_retrieval + next.steps;
  const auto every = config_.run.evaluate_every;
  next.ends_stage = after == joint.steps && !trains_joint_generator();
  next.evaluate = next.ends_stage || (every > 0 && after % every == 0 && after < joint.steps);
  next.samples = config_.run.samples_every > 0 && (after % config_.run.samples_every == 0 || next.ends_stage);
  return next;
}

}  // namespace duet
