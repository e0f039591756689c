#include "trainer/checkpoint/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "tests/no_threads.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

CheckpointContent content(double value, std::optional<double> score = {}) {
  return {.files = {{"retrieval.safetensors", {{"head.weight", at::full({4, 3}, value)}, {"head.bias", at::full({3}, value, at::kDouble)}}},
                    {"optimiser-retrieval.safetensors", {{"head.weight.mean", at::full({4, 3}, -value)}}}},
          .progress = {{"value", value}},
          .score = score};
}

void save_now(CheckpointFolder& folder, std::int64_t step, double value, std::optional<double> score = {}) {
  folder.save(step, content(value, score));
  folder.finish();
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& item : fs::directory_iterator(folder)) names.insert(item.path().filename().string());
  return names;
}

double value_in(const Checkpoint& checkpoint) {
  const auto tensors = checkpoint.read("retrieval.safetensors");
  EXPECT_EQ(tensors.at(0).name, "head.weight");
  EXPECT_TRUE(at::equal(tensors.at(0).tensor, at::full({4, 3}, tensors.at(0).tensor[0][0].item<float>())));
  return tensors.at(0).tensor[0][0].item<float>();
}

void flip_last_byte(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(-1, std::ios::end);
  const auto byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(-1, std::ios::end);
  stream.put(byte);
}

// Runs `body` in a process of its own and returns its exit status.
template <typename Body>
int in_a_child(const Body& body) {
  const auto child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(CheckpointFolder, GivesBackWhatWasSaved) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 120, 2.5, 61.0);
  EXPECT_EQ(read_file(run / "checkpoints/latest"), "step-00000120\n");
  EXPECT_THAT(names_in(run / "checkpoints/step-00000120"),
              UnorderedElementsAre("retrieval.safetensors", "optimiser-retrieval.safetensors", "progress.json", "manifest.json"));

  const auto found = find_checkpoint(run / "checkpoints");
  ASSERT_TRUE(found.checkpoint);
  EXPECT_THAT(found.passed_over, ElementsAre());
  EXPECT_EQ(found.checkpoint->step(), 120);
  EXPECT_EQ(found.checkpoint->progress(), Json({{"value", 2.5}}));
  EXPECT_EQ(found.checkpoint->score(), 61.0);
  EXPECT_EQ(value_in(*found.checkpoint), 2.5);
  EXPECT_EQ(found.checkpoint->read("retrieval.safetensors").at(1).tensor.scalar_type(), at::kDouble);
  EXPECT_TRUE(found.checkpoint->has("optimiser-retrieval.safetensors"));
  EXPECT_FALSE(found.checkpoint->has("generator.safetensors"));
  EXPECT_THROW(found.checkpoint->read("generator.safetensors"), DataError);
}

TEST(CheckpointFolder, FindsNothingInAFreshRun) {
  TemporaryFolder run;
  EXPECT_FALSE(find_checkpoint(run / "checkpoints").checkpoint);
  CheckpointFolder folder(run / "checkpoints", {});
  EXPECT_FALSE(find_checkpoint(run / "checkpoints").checkpoint);
}

TEST(CheckpointFolder, SavesTheTensorsAsTheyWereAtTheCall) {
  TemporaryFolder run;
  std::mutex mutex;
  std::condition_variable changed;
  bool go_on = false;
  CheckpointFolder folder(run / "checkpoints", {.observer = [&](SaveStage stage) {
                            std::unique_lock lock(mutex);
                            if (stage == SaveStage::begun) changed.wait(lock, [&] { return go_on; });
                          }});
  auto saved = content(1);
  folder.save(1, saved);  // returns although the writer waits: the training goes on ...
  saved.files["retrieval.safetensors"][0].tensor.fill_(9);
  {
    std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_one();
  folder.finish();
  EXPECT_EQ(value_in(*find_checkpoint(run / "checkpoints").checkpoint), 1);  // ... and does not show in the file
}

TEST(CheckpointFolder, SurvivesACrashAtEveryStage) {
  for (const auto stage : {SaveStage::begun, SaveStage::files_written, SaveStage::manifest_written, SaveStage::renamed,
                           SaveStage::latest_moved, SaveStage::thinned}) {
    for (const bool again : {false, true}) {  // a new step, and a step that was saved before
      TemporaryFolder run;
      const auto checkpoints = run / "checkpoints";
      const auto status = in_a_child([&] {
        bool armed = false;
        CheckpointFolder folder(checkpoints, {.keep_last = 1, .observer = [&](SaveStage reached) {
                                                if (armed && reached == stage) ::_exit(9);
                                              }});
        save_now(folder, 10, 1);
        armed = true;
        save_now(folder, again ? 10 : 20, 2);
      });
      ASSERT_EQ(status, 9) << "the child did not reach stage " << static_cast<int>(stage);

      const auto found = find_checkpoint(checkpoints);
      ASSERT_TRUE(found.checkpoint) << "stage " << static_cast<int>(stage) << ", again " << again;
      const auto expected = stage >= SaveStage::latest_moved || (again && stage == SaveStage::renamed) ? 2 : 1;
      EXPECT_EQ(value_in(*found.checkpoint), expected) << "stage " << static_cast<int>(stage) << ", again " << again;

      CheckpointFolder folder(checkpoints, {.keep_last = 1});  // the resumed run clears up and goes on
      save_now(folder, 20, 3);
      EXPECT_EQ(value_in(*find_checkpoint(checkpoints).checkpoint), 3);
      EXPECT_THAT(names_in(checkpoints), UnorderedElementsAre("latest", "step-00000020"))
          << "stage " << static_cast<int>(stage) << ", again " << again;
    }
  }
}

TEST(CheckpointFolder, IsLoadableBetweenTheTwoRenamesOfAStepSavedAgain) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 10, 1);
  fs::rename(run / "checkpoints/step-00000010", run / "checkpoints/step-00000010.replaced-0");
  const auto found = find_checkpoint(run / "checkpoints");
  ASSERT_TRUE(found.checkpoint);
  EXPECT_EQ(value_in(*found.checkpoint), 1);
  EXPECT_THAT(found.passed_over, ElementsAre(HasSubstr("step-00000010: is named by 'latest' but is not there")));
}

TEST(CheckpointFolder, FallsBackToThePreviousWhereAByteWasFlipped) {
  for (const auto* file : {"retrieval.safetensors", "optimiser-retrieval.safetensors", "progress.json", "manifest.json"}) {
    TemporaryFolder run;
    CheckpointFolder folder(run / "checkpoints", {});
    save_now(folder, 10, 1);
    save_now(folder, 20, 2);
    if (std::string(file) == "manifest.json") {
      fs::resize_file(run / "checkpoints/step-00000020/manifest.json", 40);
    } else {
      flip_last_byte(run / "checkpoints/step-00000020" / file);
    }
    const auto found = find_checkpoint(run / "checkpoints");
    ASSERT_TRUE(found.checkpoint) << file;
    EXPECT_EQ(found.checkpoint->step(), 10) << file;
    EXPECT_EQ(value_in(*found.checkpoint), 1) << file;
    EXPECT_THAT(found.passed_over, ElementsAre(HasSubstr(std::string("step-00000020/") + file)));
  }
}

TEST(CheckpointFolder, FallsBackWhereAFileIsMissingOrShort) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {.keep_last = 3});
  for (int step : {10, 20, 30}) save_now(folder, step, step);
  fs::remove(run / "checkpoints/step-00000030/optimiser-retrieval.safetensors");
  fs::resize_file(run / "checkpoints/step-00000020/retrieval.safetensors", 50);
  const auto found = find_checkpoint(run / "checkpoints");
  ASSERT_TRUE(found.checkpoint);
  EXPECT_EQ(found.checkpoint->step(), 10);
  EXPECT_THAT(found.passed_over, ElementsAre(HasSubstr("is missing"), HasSubstr("has 50 bytes instead of")));
}

TEST(CheckpointFolder, RefusesToBeginAnewWhereNoneVerifies) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 10, 1);
  flip_last_byte(run / "checkpoints/step-00000010/retrieval.safetensors");
  EXPECT_THROW(find_checkpoint(run / "checkpoints"), DataError);
}

TEST(CheckpointFolder, DoesNotLeaveItsFolderForAManifestsNames) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 10, 1);
  const auto file = run / "checkpoints/step-00000010/manifest.json";
  auto manifest = read_json(file);
  write_file_atomically(run / "outside", std::string("secret"));
  manifest["files"]["../../outside"] = {{"bytes", 6}, {"checksum", "0000000000000000"}};
  write_file_atomically(file, manifest.dump());
  EXPECT_THAT([&] { Checkpoint::open(run / "checkpoints/step-00000010"); },
              testing::ThrowsMessage<DataError>(HasSubstr("leads out of the folder")));
}

TEST(CheckpointFolder, TakesALatestThatLeadsElsewhereForNone) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 10, 1);
  write_file_atomically(run / "checkpoints/latest", std::string("../../etc\n"));
  EXPECT_EQ(find_checkpoint(run / "checkpoints").checkpoint->step(), 10);
}

TEST(CheckpointFolder, SaysThatTheDiskIsFullAtTheNextCallAndLosesNothing) {
  TemporaryFolder run;
  const auto checkpoints = run / "checkpoints";
  const auto status = in_a_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    CheckpointFolder folder(checkpoints, {});
    save_now(folder, 10, 1);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const auto before = limit.rlim_cur;
    limit.rlim_cur = 100;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    folder.save(20, content(2));  // begins, and fails behind
    bool said = false;
    try {
      folder.save(30, content(3));
    } catch (const CannotWrite& error) {
      const std::string message = error.what();
      said = message.find("the checkpoint of step 20 was not written") != std::string::npos &&
             message.find("safetensors") != std::string::npos && message.find("The same command continues") != std::string::npos;
    }
    if (!said) ::_exit(1);
    const auto found = find_checkpoint(checkpoints);
    if (!found.checkpoint || found.checkpoint->step() != 10) ::_exit(2);
    if (names_in(checkpoints) != std::set<std::string>{"latest", "step-00000010"}) ::_exit(3);
    limit.rlim_cur = before;  // room again
    ::setrlimit(RLIMIT_FSIZE, &limit);
    save_now(folder, 30, 3);
    if (find_checkpoint(checkpoints).checkpoint->step() != 30) ::_exit(4);
  });
  EXPECT_EQ(status, 0)
      << "1: no CannotWrite naming step, file and what to do, 2: previous checkpoint lost, 3: litter left, 4: no second try";
}

TEST(CheckpointFolder, IsWrittenByTheCallerWhereNoThreadIsGranted) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  const NoThreads none;
  folder.save(10, content(1));
  EXPECT_EQ(find_checkpoint(run / "checkpoints").checkpoint->step(), 10);
  EXPECT_NO_THROW(folder.finish());
}

TEST(CheckpointFolder, KeepsTheLastTheLandmarksAndTheBest) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {.keep_last = 2, .keep_every = 40});
  const std::vector<std::optional<double>> score = {50.0, 70.0, std::nullopt, 60.0, 70.0, 65.0, std::nullopt};
  for (std::size_t i = 0; i < score.size(); ++i) save_now(folder, 10 * static_cast<int>(i + 1), static_cast<double>(i), score[i]);
  EXPECT_THAT(names_in(run / "checkpoints"),
              UnorderedElementsAre("latest", "step-00000020", "step-00000040", "step-00000060", "step-00000070"))
      << "the best is step 20: of equal scores the earlier";
}

TEST(CheckpointFolder, KeepsTheBestWhenItsStepIsSavedAgainWithoutAScore) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {.keep_last = 1});
  save_now(folder, 10, 1, 50);
  save_now(folder, 10, 2);
  save_now(folder, 10, 3);
  std::set<double> kept;
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints")) {
    if (entry.is_directory()) kept.insert(value_in(Checkpoint::open(entry.path())));
  }
  EXPECT_THAT(kept, UnorderedElementsAre(1, 3)) << "the best and the newest";
  EXPECT_EQ(value_in(*find_checkpoint(run / "checkpoints").checkpoint), 3);
  save_now(folder, 10, 4, 50);
  EXPECT_THAT(names_in(run / "checkpoints"), UnorderedElementsAre("latest", "step-00000010"));
}

TEST(CheckpointFolder, CountsByTimeOfWritingWhenARunWentBack) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {.keep_last = 2});
  save_now(folder, 10, 1);
  save_now(folder, 20, 2);
  save_now(folder, 15, 3);  // step 20 turned out damaged, the run resumed from 10
  save_now(folder, 18, 4);
  EXPECT_THAT(names_in(run / "checkpoints"), UnorderedElementsAre("latest", "step-00000015", "step-00000018"));
  EXPECT_EQ(find_checkpoint(run / "checkpoints").checkpoint->step(), 18);
}

TEST(CheckpointFolder, PublishesNothingOnceAnotherJobOwnsTheRun) {
  TemporaryFolder run;
  bool owner = true;
  CheckpointFolder folder(run / "checkpoints", {.may_publish = [&] { return owner; }});
  save_now(folder, 10, 1);
  owner = false;
  folder.save(20, content(2));
  EXPECT_THAT([&] { folder.finish(); }, testing::ThrowsMessage<CannotWrite>(HasSubstr("another job owns")));
  EXPECT_THAT(names_in(run / "checkpoints"), UnorderedElementsAre("latest", "step-00000010"));
  EXPECT_EQ(read_file(run / "checkpoints/latest"), "step-00000010\n");
}

TEST(CheckpointFolder, DoesNotMoveLatestWhenOwnershipIsLostAtTheLastMoment) {
  TemporaryFolder run;
  bool owner = true;
  CheckpointFolder folder(
      run / "checkpoints",
      {.keep_last = 1,
       .may_publish = [&] { return owner; },
       .observer = [&](SaveStage stage) { owner = owner && !(stage == SaveStage::renamed && fs::exists(run / "lose")); }});
  save_now(folder, 10, 1);
  write_file_atomically(run / "lose", std::string());
  folder.save(20, content(2));
  EXPECT_THROW(folder.finish(), CannotWrite);
  EXPECT_EQ(find_checkpoint(run / "checkpoints").checkpoint->step(), 10);
}

TEST(CheckpointFolder, NamesEveryOptionThatDiffers) {
  TemporaryFolder run;
  const Json begun = {{"retrieval.backbone", "tiny"}, {"retrieval.batch", 16}, {"run.seed", 1}, {"joint.policy", 10.0}};
  CheckpointFolder folder(run / "checkpoints", {.configuration = begun});
  save_now(folder, 10, 1);
  const auto checkpoint = *find_checkpoint(run / "checkpoints").checkpoint;
  EXPECT_NO_THROW(checkpoint.check_configuration(begun));
  const Json now = {{"retrieval.backbone", "vgg16"}, {"run.seed", 1}, {"joint.policy", 10.0}, {"retrieval.head", 64}};
  EXPECT_THAT(
      [&] { checkpoint.check_configuration(now); },
      testing::ThrowsMessage<UsageError>(testing::AllOf(HasSubstr("retrieval.backbone: \"tiny\" in the checkpoint, \"vgg16\" now"),
                                                        HasSubstr("retrieval.batch: 16 in the checkpoint, absent now"),
                                                        HasSubstr("retrieval.head: absent in the checkpoint, 64 now"),
                                                        testing::Not(HasSubstr("run.seed")), testing::Not(HasSubstr("joint.policy")))));
}

TEST(CheckpointFolder, RefusesAFormatItDoesNotKnow) {
  TemporaryFolder run;
  CheckpointFolder folder(run / "checkpoints", {});
  save_now(folder, 10, 1);
  const auto file = run / "checkpoints/step-00000010/manifest.json";
  auto manifest = read_json(file);
  manifest["format"] = 2;
  write_file_atomically(file, manifest.dump());
  EXPECT_THAT([&] { Checkpoint::open(run / "checkpoints/step-00000010"); }, testing::ThrowsMessage<DataError>(HasSubstr("has format 2")));
  EXPECT_THROW(Checkpoint::open(run / "checkpoints/step-00000011"), InputMissing);
}

}  // namespace
}  // namespace duet
