#include <gmock/gmock.h>

#include <fstream>

#include "base/error.h"
#include "tests/trainer/loop/tiny_training.h"

// A straight run equals an interrupted one bit for bit (docs/architecture.md §4.3), with one process.
namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Resume : public TinyTrainings {
 protected:
  static void SetUpTestSuite() {
    TinyTrainings::SetUpTestSuite();
    SelfRanks alone;
    train(config("straight"), alone.ranks());
    straight_ = content_of(folder("straight"));
    EXPECT_EQ(straight_["step"], fmt::format("{}", kTinySteps));
  }

  static const std::map<std::string, std::string>& straight() { return straight_; }

 private:
  inline static std::map<std::string, std::string> straight_;
};

TEST_F(Resume, AStraightRunHoldsWhatItShould) {
  for (const std::string file :
       {"retrieval.safetensors", "retrieval-average.safetensors", "retrieval-best.safetensors", "teacher.safetensors",
        "generator.safetensors", "discriminator.safetensors", "optimiser-retrieval.safetensors", "optimiser-generator-joint.safetensors",
        "optimiser-discriminator.safetensors", "progress.json"}) {
    EXPECT_TRUE(straight().contains(file)) << file;
  }
  const auto results = nlohmann::json::parse(straight().at("results.json"));
  EXPECT_TRUE(results.contains("initial") && results.contains("supervised") && results.contains("joint") && results.contains("generator"));
  const auto progress = nlohmann::json::parse(straight().at("progress.json"));
  EXPECT_EQ(
      progress["counts"],
      (nlohmann::json{{"strokes", 3}, {"pairs", 4}, {"retrieval", 6}, {"warmup", 3}, {"joint_retrieval", 7}, {"joint_generator", 6}}));
}

// Each step's interruption ends in another stage, or at another place inside a block of k_r or k_g steps.
TEST_F(Resume, EqualsTheStraightRunWhereverItWasInterrupted) {
  const SelfRanks alone;
  for (std::int64_t stop = 1; stop < kTinySteps; ++stop) {
    const auto run = fmt::format("stopped-{}", stop);
    train(config(run), alone.ranks(), {stop});
    expect_same_content(content_of(folder(run)), straight(), fmt::format("stopped after step {}", stop));
    std::filesystem::remove_all(folder(run));
  }
}

TEST_F(Resume, EqualsTheStraightRunAfterManyInterruptions) {
  const SelfRanks alone;
  for (const auto& stops :
       {std::set<std::int64_t>{2, 3, 9, 10, 18, 19, 23}, std::set<std::int64_t>{5, 13, 14, 17, 20, 21, 22, 26, 27, 28}}) {
    const auto run = fmt::format("stopped-often-{}", stops.size());
    train(config(run), alone.ranks(), stops);
    expect_same_content(content_of(folder(run)), straight(), fmt::format("stopped {} times", stops.size()));
  }
}

TEST_F(Resume, LogsEachStepOnce) {
  const SelfRanks alone;
  auto logged = [&](const std::string& run, const std::set<std::int64_t>& stops) {
    auto with_all_steps = config(run);
    with_all_steps.monitoring.log_every = 1;
    train(with_all_steps, alone.ranks(), stops);
    std::vector<nlohmann::json> lines;
    std::ifstream file(folder(run) / "metrics.jsonl");
    for (std::string text; std::getline(file, text);) {
      auto line = nlohmann::json::parse(text);
      line.erase("time");
      line.erase("step_seconds");
      lines.push_back(line);
    }
    return lines;
  };
  const auto lines = logged("logged", {});
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line.contains("loss"); }), kTinySteps);
  EXPECT_EQ(logged("logged-stopped", {6, 12, 18}), lines);
}

TEST_F(Resume, ADamagedCheckpointIsPassedOverWithAWord) {
  const SelfRanks alone;
  auto interrupted = config("damaged");
  interrupted.checkpoint.every_steps = 4;
  bool stopped = false;
  std::string said;
  TrainerOptions options;
  options.after_step = [&](std::int64_t step) {
    if (step == 21 && !stopped) request_stop();
  };
  {
    Trainer trainer(interrupted, alone.ranks(), {}, options);
    EXPECT_FALSE(trainer.run().complete);
    stopped = true;
    clear_stop_request();
  }
  const auto newest = find_checkpoint(folder("damaged") / "checkpoints").checkpoint;
  ASSERT_TRUE(newest);
  ASSERT_EQ(newest->step(), 21);
  {
    std::fstream file(newest->folder() / "generator.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-9, std::ios::end);
    const auto byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(-9, std::ios::end);
    file.put(byte);
  }
  std::string before;  // the newest of the others
  for (const auto& entry : std::filesystem::directory_iterator(folder("damaged") / "checkpoints")) {
    if (entry.is_directory() && entry.path() != newest->folder()) before = std::max(before, entry.path().filename().string());
  }
  ASSERT_NE(before, "");
  testing::internal::CaptureStderr();
  Trainer trainer(interrupted, alone.ranks(), {}, options);
  said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, AllOf(HasSubstr("step-00000021/generator.safetensors"), HasSubstr("checksum differs"), HasSubstr("continues from"),
                          HasSubstr(before)));
  EXPECT_TRUE(trainer.run().complete);
  expect_same_content(content_of(folder("damaged")), straight(), "after the damage");
}

TEST_F(Resume, ACheckpointOfAnotherConfigurationIsRefusedNamingTheOption) {
  const SelfRanks alone;
  const auto ours = config("straight");
  TrainerOptions options;
  options.configuration = Json{{"retrieval.batch", "16"}};
  try {
    Trainer trainer(ours, alone.ranks(), {}, options);
    FAIL() << "it was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::usage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("retrieval.batch"), HasSubstr("\"8\""), HasSubstr("\"16\"")));
  }
}

TEST_F(Resume, AFinishedRunHasNothingLeftToDo) {
  const SelfRanks alone;
  train(config("straight"), alone.ranks(), {}, [](std::int64_t step) { ADD_FAILURE() << "step " << step << " was done again"; });
  expect_same_content(content_of(folder("straight")), straight(), "started again");
}

}  // namespace
}  // namespace duet
