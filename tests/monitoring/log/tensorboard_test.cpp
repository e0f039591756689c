#include "monitoring/log/tensorboard.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/file.h"
#include "tests/monitoring/log/read_event_file.h"
#include "tests/python.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<Json> events_in(const std::filesystem::path& file) {
  std::vector<Json> events;
  std::istringstream lines(run_python(kReadEventFile, {file}));
  for (std::string line; std::getline(lines, line);) events.push_back(parse_json(line, "python"));
  return events;
}

TEST(TensorBoardFile, HoldsTheNumbersOfALineUnderItsStage) {
  const TemporaryFolder folder;
  TensorBoard board(folder / "tensorboard", 1);
  board.write({{"stage", "retrieval"},
               {"phase", "retrieval_fit"},
               {"step", 10},
               {"total_step", 300},
               {"loss", {{"total", 0.5}, {"triplet", -0.25}}},
               {"learning_rate", 1e-4},
               {"time", 1.7e9}});
  board.write({{"stage", "joint"}, {"phase", "joint_generator"}, {"total_step", 70'000'000'000}, {"loss", {{"total", 2}}}});
  board.write({{"stage", "joint"}, {"total_step", 301}, {"evaluation", {{"last", {{"acc@1", 62.5}}}}}});
  board.write({{"stage", "joint"}, {"total_step", 302}, {"text", "no number"}});
  const auto files = files_in(folder / "tensorboard");
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_THAT(files[0].filename().string(), HasSubstr(".tfevents."));
  const auto events = events_in(files[0]);
  ASSERT_THAT(events, SizeIs(5));
  EXPECT_EQ(events[0]["version"], "brain.Event:2");
  EXPECT_EQ(events[1]["session"], 1);
  EXPECT_EQ(events[1]["step"], 1);
  EXPECT_EQ(events[2]["step"], 300);
  EXPECT_EQ(events[2]["time"], 1.7e9);
  EXPECT_EQ(events[2]["scalars"],
            (Json{{"retrieval/loss/total", 0.5}, {"retrieval/loss/triplet", -0.25}, {"retrieval/learning_rate", double{1e-4F}}}));
  EXPECT_EQ(events[3]["step"], 70'000'000'000);
  EXPECT_EQ(events[3]["scalars"], (Json{{"joint_generator/loss/total", 2.0}}));
  EXPECT_EQ(events[4]["scalars"], (Json{{"joint/evaluation/last/acc@1", 62.5}}));
}

TEST(TensorBoardFile, OfAResumedRunIsANewOneThatTakesTheRepeatedStepsBack) {
  const TemporaryFolder folder;
  for (const std::int64_t first : {1, 31}) {
    TensorBoard board(folder.path(), first);
    board.write({{"stage", "retrieval"}, {"total_step", first + 20}, {"loss", {{"total", 1}}}});
  }
  const auto files = files_in(folder.path());
  ASSERT_THAT(files, SizeIs(2));
  EXPECT_EQ(events_in(files[0]).back()["step"], 21);
  const auto resumed = events_in(files[1]);
  EXPECT_EQ(resumed[1]["session"], 1);
  EXPECT_EQ(resumed[1]["step"], 31);
}

TEST(TensorBoardFile, AFolderThatCannotBeWrittenStopsNothing) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  testing::internal::CaptureStderr();
  TensorBoard board(folder / "file" / "tensorboard", 1);
  board.write({{"stage", "retrieval"}, {"total_step", 1}, {"loss", {{"total", 1}}}});
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("TensorBoard gets no more of this run"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

}  // namespace
}  // namespace duet
