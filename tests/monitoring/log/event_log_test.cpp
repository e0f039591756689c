#include "monitoring/log/event_log.h"

#include <gmock/gmock.h>

#include <fstream>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "tests/read_events.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::vector<int> steps_in(const std::filesystem::path& file) {
  std::vector<int> steps;
  for (const auto& event : read_events(file)) steps.push_back(event.at("step"));
  return steps;
}

TEST(EventLog, KeepsWhatWasWrittenInOrderWithATime) {
  TemporaryFolder folder;
  EventLog log(folder / "log" / "rank-0.jsonl");
  log.write({{"stage", "retrieval"}, {"step", 10}, {"loss", {{"triplet", 0.5}}}});
  log.write({{"stage", "retrieval"}, {"step", 20}, {"loss", {{"triplet", 0.25}}}, {"time", 7.5}});
  const auto events = read_events(log.file());
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0]["loss"]["triplet"], 0.5);
  EXPECT_GT(events[0]["time"], 1.7e9);
  EXPECT_EQ(events[1]["time"], 7.5);
}

TEST(EventLog, WritesWhatJsonCannotHoldAsNull) {
  TemporaryFolder folder;
  EventLog log(folder / "metrics.jsonl");
  log.write({{"step", 1}, {"loss", std::numeric_limits<double>::quiet_NaN()}, {"id", "\xff"}});
  EXPECT_TRUE(read_events(log.file()).at(0)["loss"].is_null());
}

TEST(EventLog, WritesThroughNoLinkAndChangesNoCopyMadeOfLinks) {
  TemporaryFolder folder;
  std::filesystem::create_symlink(folder / "elsewhere", folder / "metrics.jsonl");
  EXPECT_THROW(EventLog(folder / "metrics.jsonl"), CannotCreate);
  EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere"));
  EventLog(folder / "log.jsonl").write({{"step", 1}});
  std::filesystem::create_hard_link(folder / "log.jsonl", folder / "kept.jsonl");
  EventLog(folder / "log.jsonl").write({{"step", 2}});
  EXPECT_THAT(steps_in(folder / "kept.jsonl"), ElementsAre(1));
  EXPECT_THAT(steps_in(folder / "log.jsonl"), ElementsAre(1, 2));
}

TEST(EventLog, AResumedRunContinuesWithoutTheStepsItRepeats) {
  TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  {
    EventLog log(file);
    for (int step = 10; step <= 50; step += 10) log.write({{"step", step}});
  }
  EventLog resumed(file, [](const Json& event) { return event.at("step") <= 30; });
  resumed.write({{"step", 40}});
  EXPECT_THAT(steps_in(file), ElementsAre(10, 20, 30, 40));
}

TEST(EventLog, TheEndOfALongFileIsReadAlone) {
  TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  std::ofstream(file) << "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":4}\n";  // 11 bytes a line
  auto last = [&](std::int64_t bytes) {
    std::vector<int> steps;
    for (const auto& event : read_last_events(file, bytes)) steps.push_back(event.at("step"));
    return steps;
  };
  EXPECT_THAT(last(22), ElementsAre(3, 4)) << "the place is a line's beginning";
  EXPECT_THAT(last(21), ElementsAre(4)) << "a cut line is left out";
  EXPECT_THAT(last(1000), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read_last_events(folder / "none.jsonl", 1000), SizeIs(0));
}

TEST(EventLog, ACrashInTheMiddleOfALineCostsThatLineOnly) {
  TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  std::ofstream(file) << "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"lo";
  EXPECT_THAT(steps_in(file), ElementsAre(1, 2));
  EventLog log(file);
  log.write({{"step", 3}});
  EXPECT_THAT(steps_in(file), ElementsAre(1, 2, 3));
}

TEST(EventLog, ReadersSkipDamagedLinesAndCountThem) {
  TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  std::ofstream(file) << "{\"step\":1}\n{\"st{\"step\":2}\n[1]\n\n{\"step\":3}\n";
  int seen = 0;
  EXPECT_EQ(for_each_event(file, [&](const Json&) { ++seen; }), 3);
  EXPECT_EQ(seen, 2);
  EXPECT_THAT(read_events(folder / "absent.jsonl"), SizeIs(0));
}

TEST(EventLog, LinesOfSeveralThreadsDoNotMix) {
  TemporaryFolder folder;
  EventLog log(folder / "log.jsonl");
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 100; ++k) log.write({{"step", k}, {"text", std::string(500, 'x')}});
      });
    }
  }
  EXPECT_EQ(for_each_event(log.file(), [](const Json&) {}), 0);
  EXPECT_THAT(read_events(log.file()), SizeIs(400));
}

TEST(EventLog, AFullDiskNeverStopsTheTraining) {
  EventLog log("/dev/full");
  testing::internal::CaptureStderr();
  log.write({{"step", 1}});
  log.write({{"step", 2}});
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, testing::HasSubstr("/dev/full"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << "the second failure must be silent: " << said;
}

TEST(EventLog, AFolderThatCannotBeMadeIsAnError) {
  TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(EventLog(folder / "file" / "metrics.jsonl"), CannotCreate);
}

}  // namespace
}  // namespace duet
