#include "trainer/report/run_history.h"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include <fstream>

#include "base/file.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::Pair;

RunHistory history_of(const std::string& lines) {
  TemporaryFolder folder;
  std::ofstream(folder / "metrics.jsonl") << lines;
  return read_history(folder / "metrics.jsonl");
}

TEST(RunHistory, SeparatesLossesByStageAndPhase) {
  const auto history = history_of(
      "{\"stage\": \"retrieval\", \"step\": 10, \"total_step\": 110, \"loss\": {\"total\": 0.5}, \"time\": 1}\n"
      "{\"stage\": \"retrieval\", \"step\": 20, \"total_step\": 120, \"loss\": {\"total\": 0.4, \"extra\": 7}, \"time\": 2}\n"
      "{\"stage\": \"joint\", \"phase\": \"joint_retrieval\", \"step\": 5, \"total_step\": 125, \"loss\": {\"total\": 1}, \"certainty\": "
      "0.25}\n"
      "{\"stage\": \"joint\", \"phase\": \"joint_generator\", \"step\": 5, \"total_step\": 130, \"loss\": {\"total\": 9}, \"reward\": "
      "-0.5}\n");
  ASSERT_EQ(history.losses.size(), 3U);
  EXPECT_EQ(history.losses[0].stage, "retrieval");
  EXPECT_THAT(history.losses[0].curves.at(0).points, ElementsAre(Pair(10, 0.5), Pair(20, 0.4)));
  EXPECT_EQ(history.losses[0].curves.at(1).name, "extra");
  EXPECT_EQ(history.losses[2].phase, "joint_generator");
  EXPECT_THAT(history.losses[2].curves.at(0).points, ElementsAre(Pair(5, 9)));
  ASSERT_EQ(history.figures.size(), 2U);
  EXPECT_EQ(history.figures[0].quantity, Quantity::certainty);
  EXPECT_THAT(history.figures[0].curves.at(0).points, ElementsAre(Pair(5, 0.25)));
  EXPECT_EQ(history.figures[1].quantity, Quantity::reward);
  EXPECT_THAT(history.figures[1].curves.at(0).points, ElementsAre(Pair(5, -0.5)));
  EXPECT_THAT(history.stages, ElementsAre(Pair(110, "retrieval"), Pair(125, "joint")));
}

TEST(RunHistory, FollowsEachKindOfWeights) {
  const auto history = history_of(
      "{\"stage\": \"retrieval\", \"step\": 10, \"total_step\": 60, \"evaluation\": {\"last\": {\"acc@1\": 20, \"acc@10\": 70, "
      "\"mean_rank_percentile\": 80},"
      " \"average\": {\"acc@1\": 25, \"acc@10\": 75, \"mean_rank_percentile\": 85}}}\n"
      "{\"stage\": \"joint\", \"step\": 3, \"total_step\": 90, \"evaluation\": {\"acc@1\": 30, \"acc@10\": 77, \"mean_rank_percentile\": "
      "88}}\n");
  ASSERT_EQ(history.acc_1.size(), 2U);
  EXPECT_EQ(history.acc_1[0].name, "last");
  EXPECT_THAT(history.acc_1[0].points, ElementsAre(Pair(60, 20), Pair(90, 30)));
  EXPECT_THAT(history.acc_1[1].points, ElementsAre(Pair(60, 25)));
  EXPECT_THAT(history.acc_10[1].points, ElementsAre(Pair(60, 75)));
  EXPECT_THAT(history.mean_rank_percentile[0].points, ElementsAre(Pair(60, 80), Pair(90, 88)));
}

TEST(RunHistory, LeavesOutWhatItCannotUse) {
  const auto history = history_of(
      "{\"stage\": \"pairs\", \"step\": 1, \"loss\": {\"total\": 4, \"word\": \"x\", \"none\": null}}\n"
      "not json\n"
      "[1, 2]\n"
      "{\"stage\": 5, \"step\": \"one\", \"loss\": {\"total\": 1}}\n"
      "{\"stage\": \"pairs\", \"step\": 2, \"loss\": [3], \"evaluation\": {\"last\": 3}}\n"
      "{\"stage\": \"pairs\", \"step\": 3, \"loss\": {\"tot");
  ASSERT_EQ(history.losses.size(), 1U);
  ASSERT_EQ(history.losses[0].curves.size(), 1U);
  EXPECT_THAT(history.losses[0].curves[0].points, ElementsAre(Pair(1, 4)));
  EXPECT_GE(history.damaged_lines, 2);
  EXPECT_TRUE(history.acc_1.empty());
}

TEST(RunHistory, ThinsALongRunAndKeepsItsMean) {
  std::string lines;
  double sum = 0;
  constexpr int kLines = 4096;
  for (int i = 0; i < kLines; ++i) {
    sum += i % 7;
    lines += fmt::format("{{\"stage\": \"pairs\", \"step\": {}, \"loss\": {{\"total\": {}}}}}\n", i, i % 7);
  }
  const auto history = history_of(lines);
  const auto& points = history.losses.at(0).curves.at(0).points;
  EXPECT_LE(points.size(), 400U);
  EXPECT_GE(points.size(), 200U);
  double mean = 0;
  for (const auto& point : points) mean += point.second / static_cast<double>(points.size());
  EXPECT_NEAR(mean, sum / kLines, 0.05);
  EXPECT_LT(points.front().first, 20);
  EXPECT_GT(points.back().first, kLines - 20);
}

TEST(RunHistory, IsEmptyWithoutAFile) {
  TemporaryFolder folder;
  const auto history = read_history(folder / "metrics.jsonl");
  EXPECT_TRUE(history.losses.empty());
  EXPECT_EQ(history.damaged_lines, 0);
}

}  // namespace
}  // namespace duet
