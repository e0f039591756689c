#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/trainer/loop/tiny_training.h"
#include "trainer/evaluation/trained_networks.h"

// A run that goes on after something around it has changed: its stores, or how many joint steps are asked.
namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Continuation : public TinyTrainings {
 protected:
  /// Trains until the stop after `step`, and leaves the run so.
  static void train_until(const TrainingConfig& config, std::int64_t step) {
    const SelfRanks alone;
    TrainerOptions options;
    options.after_step = [&](std::int64_t done) {
      if (done == step) request_stop();
    };
    EXPECT_FALSE(Trainer(config, alone.ranks(), {}, options).run().complete);
    clear_stop_request();
  }

  static void continue_run(const TrainingConfig& config) {
    const SelfRanks alone;
    EXPECT_TRUE(Trainer(config, alone.ranks(), {}, {}).run().complete);
  }
};

TEST_F(Continuation, LabelledPairsThatAreAppendedMeanwhileAreForTheNextRun) {
  continue_run(config("straight"));
  auto grown = config("grown");
  copy_data(folder("data"), folder("grown-data"));
  grown.data.labelled = folder("grown-data") / "pairs.store";
  train_until(grown, 9);
  append_to_pool(grown.data.labelled, grown.data.labelled, 5);
  ASSERT_EQ(Store::newest_generation(grown.data.labelled), 2);
  continue_run(grown);
  expect_same_content(content_of(folder("grown")), content_of(folder("straight")), "with a labelled store that grew");
}

// Pictures of a run are for people; nothing that happens to them costs the run its end.
TEST_F(Continuation, APictureThatCannotBeWrittenEndsNoTraining) {
  auto config = Continuation::config("pictureless");
  config.run.samples_every = 2;
  std::filesystem::create_directories(folder("pictureless") / "report.html");  // no file can take its place
  write_file_atomically(folder("pictureless") / "samples", "a file where a folder would be");
  const SelfRanks alone;
  Trainer trainer(config, alone.ranks(), {}, {});
  EXPECT_TRUE(trainer.run().complete);
  EXPECT_FALSE(trainer.write_report());
}

TEST_F(Continuation, PhotosThatAreLostAtTheEndCostTheReportItsPicturesAlone) {
  copy_data(folder("data"), folder("lost-data"));
  auto config = Continuation::config("lost");
  config.data.labelled = folder("lost-data") / "pairs.store";
  const SelfRanks alone;
  Trainer trainer(config, alone.ranks(), {}, {});
  EXPECT_TRUE(trainer.run().complete);
  for (const auto& shard : std::filesystem::recursive_directory_iterator(folder("lost-data") / "pairs.store" / "shards"))
    std::filesystem::resize_file(shard, 0);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(trainer.write_report());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("the report goes without its queries"), HasSubstr("the report goes without its drawings")));
  EXPECT_THAT(read_file(folder("lost") / "report.html"),
              AllOf(HasSubstr("The queries are missing"), HasSubstr("The drawings are missing")));
}

TEST_F(Continuation, AnotherStoreIsRefusedByItsOption) {
  write_synthetic({.out = folder("other-data"), .seed = 12, .pairs = 30, .test = 6, .pool = 27, .strokes = 25, .side = 48, .threads = 1});
  train_until(config("moved"), 9);
  for (const std::string option : {"labelled", "pool", "strokes"}) {
    auto changed = config("moved");
    if (option == "labelled") changed.data.labelled = folder("other-data") / "pairs.store";
    if (option == "pool") changed.data.pool = folder("other-data") / "pool.store";
    if (option == "strokes") changed.data.strokes = folder("other-data") / "strokes.store";
    try {
      continue_run(changed);
      ADD_FAILURE() << option << " of another store was taken";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr("data." + option));
    }
  }
  std::filesystem::rename(folder("data"), folder("moved-data"));
  auto moved = config("moved");
  for (auto* store : {&moved.data.labelled, &moved.data.pool, &moved.data.strokes}) {
    *store = folder("moved-data") / std::filesystem::path(*store).filename();
  }
  continue_run(moved);
  std::filesystem::rename(folder("moved-data"), folder("data"));
}

TEST_F(Continuation, AJointStageMayBeAskedOfAFinishedSupervisedRun) {
  auto run = config("later");
  run.generator.stroke_steps = run.generator.pair_steps = run.joint.steps = 0;
  continue_run(run);
  const auto supervised = find_checkpoint(folder("later") / "checkpoints").checkpoint;
  ASSERT_TRUE(supervised);
  EXPECT_FALSE(supervised->has("generator.safetensors"));

  run.joint.steps = 4;  // as a checkpoint's reader has it that knows nothing of the run's folder
  const SelfRanks alone;
  TrainedNetworks networks(run, *supervised, "last", alone.ranks(), {});
  EXPECT_GT(networks.evaluate(Store::open(run.data.labelled)->view("test")).metrics.queries, 0);
  EXPECT_THROW(networks.draw({}, 1), UsageError);

  continue_run(run);
  EXPECT_EQ(content_of(folder("later"))["step"], fmt::format("{}", 6 + 3 + 4 + 4));
}

// The last block is short: 7 joint steps in blocks of 3.
TEST_F(Continuation, AFinishedRunWhosePoolGrewGoesOnWithMoreJointSteps) {
  auto run = config("longer");
  copy_data(folder("data"), folder("longer-data"));
  run.data.pool = folder("longer-data") / "pool.store";
  const SelfRanks alone;
  train(run, alone.ranks(), {}, [&](std::int64_t step) {
    if (step == kTinySteps - 3) append_to_pool(run.data.pool, run.data.labelled, 6);  // the last joint retrieval step but one is behind it
  });
  run.joint.steps = 11;
  train(run, alone.ranks(), {}, {}, [](const Trainer& trainer) { EXPECT_EQ(trainer.state().streams.data().pool->generation(), 2); });
  EXPECT_EQ(content_of(folder("longer"))["step"], fmt::format("{}", kTinySteps + 4 + 2)) << "four of F and a cycle's two of G";
}

TEST_F(Continuation, MomentsOfTheGeneratorsFitEndWithItAndMayBeginAnew) {
  auto run = config("moments");
  const auto has_moments = [&] {
    return find_checkpoint(folder("moments") / "checkpoints").checkpoint->has("optimiser-generator.safetensors");
  };
  constexpr std::int64_t kBeforeJoint = 13;
  train_until(run, kBeforeJoint - 1);
  EXPECT_TRUE(has_moments()) << "more steps of the fit may still be asked for";
  train_until(run, kBeforeJoint + 1);
  EXPECT_FALSE(has_moments());
  run.generator.pair_steps += 3;
  train_until(run, kBeforeJoint + 1 + 2);
  EXPECT_TRUE(has_moments());
  continue_run(run);
  EXPECT_FALSE(has_moments());
  EXPECT_EQ(content_of(folder("moments"))["step"], fmt::format("{}", kTinySteps + 3));
}

TEST_F(Continuation, DrawingLeavesTheEncodersStatisticsAlone) {
  auto with_statistics = [&](const std::string& run, GeneratorScope scope) {
    auto made = config(run);
    made.generator.train_backbone = true;
    made.generator.batch_norm = BatchNormMode::global;
    made.joint.generator_scope = scope;
    return made;
  };
  const SelfRanks alone;
  for (const auto scope : {GeneratorScope::last_layer, GeneratorScope::all}) {
    train(with_statistics("straight-" + to_word(scope), scope), alone.ranks());
    // Inside blocks of sketches that are drawn again.
    train(with_statistics("stopped-" + to_word(scope), scope), alone.ranks(), {14, 17, 18, 20, 23});
    expect_same_content(content_of(folder("stopped-" + to_word(scope))), content_of(folder("straight-" + to_word(scope))), to_word(scope));
  }
}

}  // namespace
}  // namespace duet
