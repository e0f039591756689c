#include <gtest/gtest.h>

#include <algorithm>

#include "tests/trainer/phases/ranks/without_reduction.h"
#include "tests/trainer/rank_data.h"
#include "trainer/data/training_data.h"
#include "trainer/loop/run_state.h"

// N ranks compute what one would, in every phase, in float64 (docs/architecture.md §4.1). Every rank does the whole global batch alone as
// well and compares. With each reduction taken out in turn the equality must fail.
namespace duet {
namespace {

const auto* const kData = testing::AddGlobalTestEnvironment(new TinyData);

// Sums over ranks are rounded in another order than sums over a batch.
constexpr double kTolerance = 1e-9;
// What a lacking reduction must change at least: far above rounding.
constexpr double kVisible = 1e-6;

struct PhaseCase {
  std::string name;
  Stage stage;
  PhaseName phase;
  int steps;
  std::vector<Reduction> reductions;  ///< that this phase does in this configuration
  std::function<void(TrainingConfig&)> configure;
  bool floor_between = false;  ///< generator.kl_floor is put between the batch's divergence and what one of two ranks has of it
};

void PrintTo(const PhaseCase& tested, std::ostream* out) { *out << tested.name; }

struct Outcome {
  Files files;                       ///< networks, averages, moments
  std::vector<StepFigures> figures;  ///< of each step, over ranks
  Json streams;
};

Outcome run(Stage stage, PhaseName name, const TrainingConfig& config, const Ranks& ranks, int steps) {
  const auto data = open_data(config);
  RunState state(config, ranks, Device{.device = at::kCPU, .dtype = at::kDouble}, data.training);
  auto& phase = state.phase(stage, name);
  Outcome outcome;
  for (int step = 0; step < steps; ++step) {
    const auto report = phase.step(step);
    auto sums = report.shares();
    ranks.control.all_reduce(std::span(sums));
    outcome.figures.push_back(report.over_ranks(sums));
  }
  const auto content = state.content();
  outcome.files = copy_of(content.files);
  outcome.streams = content.progress["streams"];
  return outcome;
}

TrainingConfig configuration_of(const PhaseCase& tested) {
  auto config = tiny_config(TinyData::path());
  tested.configure(config);
  if (tested.floor_between) {
    config.generator.kl_floor = 0;
    const SelfRanks alone;
    const auto first = run(Stage::pairs, PhaseName::generator_fit, config, alone.ranks(), 1).figures.front();
    const auto divergence =
        std::find_if(first.begin(), first.end(), [](const auto& figure) { return figure.first == Quantity::divergence; });
    config.generator.kl_floor = 0.75 * divergence->second;
  }
  return config;
}

double over_ranks(double value) {
  // NaN would get lost in a maximum.
  return test_world().control().all_reduce(std::isnan(value) ? 1e9 : value, ReduceOp::max);
}

void expect_equal_figures(const Outcome& outcome, const Outcome& reference) {
  for (std::size_t step = 0; step < reference.figures.size(); ++step) {
    ASSERT_EQ(outcome.figures[step].size(), reference.figures[step].size());
    for (std::size_t i = 0; i < reference.figures[step].size(); ++i) {
      const auto& [quantity, expected] = reference.figures[step][i];
      EXPECT_EQ(outcome.figures[step][i].first, quantity);
      EXPECT_NEAR(outcome.figures[step][i].second, expected, kTolerance * std::max(std::abs(expected), 1e-3))
          << "'" << row_of(quantity).name << "' of step " << step;
    }
  }
}

Outcome of_one(const PhaseCase& tested, const TrainingConfig& config) {
  const SelfRanks alone;
  return run(tested.stage, tested.phase, config, alone.ranks(), tested.steps);
}

class RanksEqualOne : public testing::TestWithParam<PhaseCase> {};

TEST_P(RanksEqualOne, StepByStep) {
  const auto& tested = GetParam();
  const auto config = configuration_of(tested);
  const auto reference = of_one(tested, config);
  const auto outcome = run(tested.stage, tested.phase, config, world_ranks(), tested.steps);
  const auto equal = distance(outcome.files, reference.files);
  EXPECT_LT(over_ranks(equal.relative), kTolerance) << "rank " << world_ranks().rank() << " differs most in " << equal.where;
  expect_equal_figures(outcome, reference);
  EXPECT_EQ(outcome.streams, reference.streams);
}

class SeveralRanksEqualOne : public testing::TestWithParam<PhaseCase> {};

TEST_P(SeveralRanksEqualOne, NotWithoutAnyOfTheReductions) {
  const auto& tested = GetParam();
  const auto config = configuration_of(tested);
  const auto reference = of_one(tested, config);
  for (const auto reduction : {Reduction::gradients, Reduction::norm_forward, Reduction::norm_backward, Reduction::batch_mean,
                               Reduction::embeddings, Reduction::photo_identities}) {
    const bool used = std::find(tested.reductions.begin(), tested.reductions.end(), reduction) != tested.reductions.end();
    RanksWithout lacking(world_ranks(), reduction);
    const auto changed = run(tested.stage, tested.phase, config, lacking.ranks(), used ? tested.steps : 1);
    EXPECT_EQ(lacking.left_out() > 0, used) << "is " << name_of(reduction) << " part of this phase or not?";
    if (!used) continue;
    const auto apart = distance(changed.files, reference.files);
    const auto furthest = over_ranks(apart.relative);
    EXPECT_GT(furthest, kVisible) << "without " << name_of(reduction) << " " << world_ranks().size() << " ranks still equal one";
    if (world_ranks().rank() == 0) {
      fmt::print("  {} on {} ranks without {}: apart by {:.1e} (rank 0 most in {})\n", tested.name, world_ranks().size(),
                 name_of(reduction), furthest, apart.where);
    }
  }
}

void train_encoder(TrainingConfig& config) {
  config.generator.train_backbone = true;
  config.generator.batch_norm = BatchNormMode::global;
}

using enum Reduction;

const std::vector<PhaseCase> kCases{
    {"strokes",
     Stage::strokes,
     PhaseName::generator_fit,
     3,
     {gradients, norm_forward, norm_backward, batch_mean},
     [](TrainingConfig& config) {
       config.generator.stroke_steps = 100;
       train_encoder(config);
     },
     /*floor_between=*/true},
    {"pairs_with_fixed_encoder",
     Stage::pairs,
     PhaseName::generator_fit,
     3,
     {gradients, batch_mean},
     [](TrainingConfig&) {},
     /*floor_between=*/true},
    {"retrieval_triplet",
     Stage::retrieval,
     PhaseName::retrieval_fit,
     3,
     {gradients, norm_forward, norm_backward, embeddings, photo_identities},
     [](TrainingConfig& config) {
       config.retrieval.clip = 0.5;
       config.retrieval.weight_decay = 0.01;
     }},
    {"retrieval_infonce",
     Stage::retrieval,
     PhaseName::retrieval_fit,
     3,
     {gradients, embeddings, photo_identities},
     [](TrainingConfig& config) {
       config.retrieval.objective = Objective::infonce;
       config.retrieval.batch_norm = BatchNormMode::frozen;
     }},
    {"discriminator_warmup",
     Stage::joint,
     PhaseName::discriminator_warmup,
     3,
     {gradients, norm_forward, norm_backward},
     [](TrainingConfig&) {}},
    {"joint_retrieval_triplet",
     Stage::joint,
     PhaseName::joint_retrieval,
     5,
     {gradients, norm_forward, norm_backward, embeddings, photo_identities},
     [](TrainingConfig&) {}},
    {"joint_retrieval_infonce",
     Stage::joint,
     PhaseName::joint_retrieval,
     5,
     {gradients, norm_forward, norm_backward, embeddings, photo_identities},
     [](TrainingConfig& config) {
       train_encoder(config);
       config.retrieval.objective = Objective::infonce;
       config.retrieval.batch_norm = BatchNormMode::frozen;
       config.discriminator.score = CertaintyScore::sigmoid_mean;
       config.joint.certainty = 0.7;
       config.joint.distillation_form = DistillationForm::squared;
       config.joint.temperature = 0.4;
     }},
    {"joint_generator_last_layer",
     Stage::joint,
     PhaseName::joint_generator,
     3,
     {gradients, batch_mean, embeddings, photo_identities},
     [](TrainingConfig&) {}},
    {"joint_generator_all",
     Stage::joint,
     PhaseName::joint_generator,
     3,
     {gradients, norm_forward, norm_backward, batch_mean, embeddings, photo_identities},
     [](TrainingConfig& config) {
       train_encoder(config);
       config.joint.generator_scope = GeneratorScope::all;
       config.joint.baseline = Baseline::greedy;
       config.joint.policy_norm = PolicyNorm::none;
     },
     /*floor_between=*/true},
};

std::string name_of_case(const testing::TestParamInfo<PhaseCase>& tested) { return tested.param.name; }
INSTANTIATE_TEST_SUITE_P(Phases, RanksEqualOne, testing::ValuesIn(kCases), name_of_case);
INSTANTIATE_TEST_SUITE_P(Phases, SeveralRanksEqualOne, testing::ValuesIn(kCases), name_of_case);

}  // namespace
}  // namespace duet
