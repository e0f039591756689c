#include "trainer/report/chart.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <regex>

namespace duet {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;
using testing::Not;
using testing::Pointwise;

TEST(Ticks, AreRoundAndInside) {
  EXPECT_THAT(ticks(0, 100, 5), Pointwise(testing::DoubleEq(), {0, 20, 40, 60, 80, 100}));
  EXPECT_THAT(ticks(3.1, 3.9, 4), Pointwise(DoubleNear(1e-12), {3.2, 3.4, 3.6, 3.8}));
  EXPECT_THAT(ticks(-0.04, 0.11, 5), Pointwise(DoubleNear(1e-12), {0.0, 0.05, 0.1}));
}

// Two figures that differ in their last bit once made a loop that never ended.
TEST(Ticks, AreFewWhateverTheRange) {
  const auto huge = std::numeric_limits<double>::max(), infinite = std::numeric_limits<double>::infinity();
  const auto next = std::nextafter(81.65137614678899, 100.0);
  const std::vector<std::pair<double, double>> ranges{{81.65137614678899, next}, {next, next}, {-huge, huge},    {0, infinite},
                                                      {0, std::nan("")},         {0, 5e-324},  {1e15, 1e15 + 1}, {5, 3},
                                                      {1e-300, 2e-300},          {-1e-9, 1e9}};
  for (const auto& [low, high] : ranges) EXPECT_LE(ticks(low, high, 5).size(), 11) << low << " … " << high;
}

TEST(LineChart, DrawsFiguresThatDifferInTheLastBitOrAreNotFinite) {
  const auto figure = 81.65137614678899, infinite = std::numeric_limits<double>::infinity();
  const auto html = line_chart({.title = "t", .x = "x", .marks = {}}, {{"last", {{0, figure}, {1, std::nan("")}, {2, infinite}}},
                                                                       {"average", {{0, std::nextafter(figure, 100.0)}}}});
  EXPECT_THAT(html, testing::AllOf(HasSubstr("last <b>81.65</b>"), HasSubstr("average"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

TEST(LineChart, ShowsEachCurveWithItsLastValue) {
  const auto html = line_chart({.title = "loss", .x = "steps", .marks = {}},
                               {{"total", {{0, 4}, {10, 2.5}}}, {"vae", {{0, 3}, {10, 1.25}}}, {"empty", {}}});
  EXPECT_THAT(html, testing::AllOf(HasSubstr("total <b>2.5</b>"), HasSubstr("vae <b>1.25</b>"), Not(HasSubstr("empty"))));
}

TEST(LineChart, IsNothingWithoutPoints) {
  EXPECT_EQ(line_chart({.title = "loss", .x = "steps", .marks = {}}, {}), "");
  EXPECT_EQ(line_chart({.title = "loss", .x = "steps", .marks = {}}, {{"total", {}}}), "");
}

TEST(LineChart, EscapesEveryName) {
  const auto html = line_chart({.title = "<t>", .x = "<x>", .marks = {{1, "<m>"}}}, {{"<c>", {{0, 1}, {2, 3}}}});
  for (const auto* name : {"<t>", "<x>", "<m>", "<c>"}) EXPECT_THAT(html, Not(HasSubstr(name)));
  for (const auto* name : {"&lt;t&gt;", "&lt;x&gt;", "&lt;m&gt;", "&lt;c&gt;"}) EXPECT_THAT(html, HasSubstr(name));
}

TEST(LineChart, DrawsConstantAndSingleValues) {
  for (const auto& points : std::vector<std::vector<std::pair<double, double>>>{{{5, 0}}, {{0, 7}, {1, 7}}}) {
    const auto html = line_chart({.title = "t", .x = "x", .marks = {}}, {{"c", points}});
    EXPECT_THAT(html, testing::AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf")), HasSubstr("class=\"curve\"")));
  }
}

// The curve falls from 10 to 1; one value of 1e6 among 400 must not turn the rest into a flat line at the foot.
TEST(LineChart, CutsOffSingleOutliers) {
  Curve curve{"loss", {}};
  for (int i = 0; i < 400; ++i) curve.points.emplace_back(i, i == 200 ? 1e6 : 10 - 9.0 * i / 400);
  const auto html = line_chart({.title = "t", .x = "x", .marks = {}}, {curve});
  std::smatch start;
  ASSERT_TRUE(std::regex_search(html, start, std::regex("d=\"M46\\.0 ([0-9.]+)L")));
  EXPECT_LT(std::stod(start[1]), 40) << "the first point is near the top";
}

}  // namespace
}  // namespace duet
