#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/trainer/loop/tiny_training.h"
#include "tests/trainer/rank_data.h"
#include "trainer/data/training_data.h"

// Whole trainings over ranks: interrupted by one of them, resumed by all.
namespace duet {
namespace {

const auto* const kData = testing::AddGlobalTestEnvironment(new TinyData);

class TrainingOverRanks : public testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(1); }
};

/// A run's content as rank 0 finds it on disk, on every rank.
std::string digest(const std::filesystem::path& run) {
  test_world().control().barrier();
  std::string text;
  for (const auto& [name, bytes] : content_of(run)) text += name + '\n' + bytes + '\n';
  test_world().control().broadcast_string(text, 0);
  return text;
}

TEST_F(TrainingOverRanks, EqualsTheStraightRunWhereverOneRankWasInterrupted) {
  const SharedFolder folder([](const auto&) {});
  auto outcome = [&](const std::string& run, const std::set<std::int64_t>& stops) {
    train(tiny_training(TinyData::path(), folder / run), world_ranks(), stops);
    return digest(folder / run);
  };
  const auto straight = outcome("straight", {});
  ASSERT_NE(straight, "");
  for (const auto& stops : {std::set<std::int64_t>{2}, {5}, {11}, {15}, {17}, {21}, {24}, {4, 12, 18, 20, 23}}) {
    const auto name = fmt::format("stopped-{}", fmt::join(stops, "-"));
    EXPECT_TRUE(outcome(name, stops) == straight) << name;
  }
}

// Each rank's own batches move its running statistics; what is saved, evaluated and resumed must be everybody's.
TEST_F(TrainingOverRanks, LocalStatisticsSurviveAResume) {
  const SharedFolder folder([](const auto&) {});
  auto outcome = [&](const std::string& run, const std::set<std::int64_t>& stops) {
    auto config = tiny_training(TinyData::path(), folder / run);
    config.retrieval.batch_norm = config.generator.batch_norm = config.discriminator.batch_norm = BatchNormMode::local;
    config.generator.train_backbone = true;
    config.joint.generator_scope = GeneratorScope::all;
    train(config, world_ranks(), stops);
    return digest(folder / run);
  };
  const auto straight = outcome("straight", {});
  ASSERT_NE(straight, "");
  for (const auto& stops : {std::set<std::int64_t>{2}, {5}, {11}, {15}, {18}, {22}}) {
    const auto name = fmt::format("stopped-{}", fmt::join(stops, "-"));
    EXPECT_TRUE(outcome(name, stops) == straight) << name;
  }
}

TEST_F(TrainingOverRanks, AnAppendedPoolIsAdoptedOnAllRanksAndSurvivesAResume) {
  const SharedFolder folder([](const std::filesystem::path& path) {
    for (const std::string name : {"straight", "stopped"}) copy_data(TinyData::path(), path / (name + "-data"));
  });
  auto outcome = [&](const std::string& run, const std::set<std::int64_t>& stops) {
    const auto config = tiny_training(folder / (run + "-data"), folder / run);
    std::vector<std::int64_t> generation_after(kTinySteps + 1, 0);
    train(
        config, world_ranks(), stops,
        [&](std::int64_t step) {
          if (step == 14 && test_world().rank() == 0) append_to_pool(config.data.pool, config.data.labelled, 81);
        },
        [&](const Trainer& trainer) {
          const auto& data = trainer.state().streams.data();
          EXPECT_EQ(data.pool->generation(), 2) << "rank " << test_world().rank();
          EXPECT_EQ(data.pool->photo_count(), 27 + 13);
          EXPECT_TRUE(data.excluded && data.excluded(data.pool->find_photo("copied-81").value()));
        });
    return digest(folder / run);
  };
  const auto straight = outcome("straight", {});
  ASSERT_NE(straight, "");
  EXPECT_TRUE(outcome("stopped", {21, 26}) == straight);
}

TEST_F(TrainingOverRanks, ARefusedCheckpointIsRefusedOnAllRanks) {
  const SharedFolder folder([](const auto&) {});
  const auto config = tiny_training(TinyData::path(), folder / "run");
  train(config, world_ranks(), {});
  TrainerOptions options;
  options.configuration = Json{{"retrieval.batch", "32"}};
  try {
    Trainer trainer(config, world_ranks(), {}, options);
    FAIL() << "it was accepted on rank " << test_world().rank();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("retrieval.batch"));
  }
}

TEST_F(TrainingOverRanks, DifferentWeightsAreFoundOnAllRanks) {
  const auto config = tiny_training(TinyData::path(), "unused");
  RunState state(config, world_ranks(), {}, open_data(config).training);
  EXPECT_NO_THROW(state.require_equal_weights());
  if (test_world().rank() == 1) {
    const at::NoGradGuard no_gradients;
    state.networks.generator->parameters().back().tensor.flatten()[0] += 1e-6;
  }
  try {
    state.require_equal_weights();
    FAIL() << "not found on rank " << test_world().rank();
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("generator"));
  }
}

}  // namespace
}  // namespace duet
