#include "trainer/schedule/schedule.h"

#include <gmock/gmock.h>

#include <vector>

namespace duet {
namespace {

TrainingConfig small() {
  TrainingConfig config;
  config.run.evaluate_every = 4;
  config.run.samples_every = 0;
  config.generator.stroke_steps = 3;
  config.generator.pair_steps = 25;
  config.retrieval.steps = 10;
  config.joint.steps = 7;
  config.joint.retrieval_steps = 3;
  config.joint.generator_steps = 2;
  config.joint.discriminator_warmup = 4;
  return config;
}

char letter_of(const PhaseSteps& next) {
  switch (next.phase) {
    case PhaseName::generator_fit:
      return next.stage == Stage::strokes ? 's' : 'p';
    case PhaseName::retrieval_fit:
      return 'r';
    case PhaseName::discriminator_warmup:
      return 'd';
    case PhaseName::joint_retrieval:
      return 'F';
    case PhaseName::joint_generator:
      return 'G';
  }
  return '?';
}

// The whole run, one letter a step; '|' where an evaluation follows.
std::string letters(const TrainingConfig& config, StepCounts counts = {}) {
  const Schedule schedule(config);
  std::string text;
  for (auto next = schedule.next(counts); next.steps > 0; next = schedule.next(counts)) {
    const auto letter = letter_of(next);
    text += std::string(static_cast<std::size_t>(next.steps), letter);
    if (next.evaluate) text += '|';
    counts.of(next.stage, next.phase) += next.steps;
  }
  return text;
}

TEST(Schedule, FollowsTheCurriculumAndAlternates) {
  EXPECT_EQ(letters(small()), "sss" + std::string(25, 'p') + "rrrr|rrrr|rr|" + "dddd" + "FFFGGF|FFGGFGG|");
}

TEST(Schedule, LeavesOutWhatHasNoCoefficient) {
  auto config = small();
  config.joint.vae = config.joint.policy = 0;
  EXPECT_EQ(letters(config), "sss" + std::string(25, 'p') + "rrrr|rrrr|rr|ddddFFFF|FFF|");
  config.joint.certainty = 0;
  EXPECT_FALSE(Schedule(config).trains_discriminator());
  EXPECT_EQ(letters(config), "sss" + std::string(25, 'p') + "rrrr|rrrr|rr|FFFF|FFF|");
  config.joint.steps = 0;
  EXPECT_EQ(letters(config), "sss" + std::string(25, 'p') + "rrrr|rrrr|rr|");
}

TEST(Schedule, ContinuesFromEveryStepAsIfNothingHadHappened) {
  const auto config = small();
  const auto whole = letters(config);
  const Schedule schedule(config);
  StepCounts counts;
  std::string done;
  for (auto next = schedule.next(counts); next.steps > 0; next = schedule.next(counts)) {
    for (std::int64_t step = 0; step < next.steps; ++step) {
      EXPECT_EQ(done + letters(config, counts), whole) << "interrupted at " << to_json(counts).dump();
      const auto at = done.size();
      done += whole[at];
      ++counts.of(next.stage, next.phase);
    }
    if (next.evaluate) done += '|';
  }
  EXPECT_EQ(done, whole);
  EXPECT_EQ(counts.total(), schedule.total_steps());
}

TEST(Schedule, CountsSurviveTheirJson) {
  const StepCounts counts{.strokes = 1, .pairs = 2, .retrieval = 3, .warmup = 4, .joint_retrieval = 5, .joint_generator = 6};
  EXPECT_EQ(step_counts_from_json(to_json(counts), "test"), counts);
  EXPECT_THROW(step_counts_from_json(Json{{"strokes", -1}}, "test"), DataError);
}

}  // namespace
}  // namespace duet
