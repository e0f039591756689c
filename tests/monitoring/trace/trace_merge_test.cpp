#include "monitoring/trace/trace_merge.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "tests/python.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// Traces of a run, written event by event with times of our choice, in microseconds.
class TraceMerge : public testing::Test {
 protected:
  std::filesystem::path file(int rank) const { return folder_ / "run" / "log" / fmt::format("trace-rank-{}.json", rank); }

  std::ofstream begin(int rank, int ranks, double offset = 0, int session = 1) {
    std::filesystem::create_directories(file(rank).parent_path());
    std::ofstream out(file(rank));
    out << fmt::format(
        "[\n{{\"name\":\"trace\",\"ph\":\"M\",\"pid\":{0},\"tid\":0,\"args\":{{\"rank\":{0},\"ranks\":{1},\"host\":\"h{0}\",\"session\":{2}"
        "}}}},\n",
        rank, ranks, session);
    clock(out, rank, 0, offset);
    return out;
  }
  static void clock(std::ofstream& out, int rank, double at, double offset) {
    out << fmt::format(
        "{{\"name\":\"clock\",\"ph\":\"M\",\"pid\":{},\"tid\":0,\"args\":{{\"at\":{},\"offset\":{},\"uncertainty\":1.5}}}},\n", rank, at,
        offset);
  }
  static std::string span(int rank, const std::string& name, const std::string& kind, double begin, double end, int thread = 0,
                          const std::string& args = "") {
    return fmt::format(R"({{"name":"{}","cat":"{}","ph":"X","ts":{},"dur":{},"pid":{},"tid":{},"args":{{{}}}}})", name, kind, begin,
                       end - begin, rank, thread, args);
  }
  static std::string step(int rank, int number, double begin, double end) {
    return span(rank, "retrieval_fit", "step", begin, end, 0, fmt::format("\"stage\":\"retrieval\",\"step\":{}", number));
  }

  Json merge() {
    std::vector<std::filesystem::path> files;
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(file(0).parent_path(), absent)) files.push_back(entry.path());
    return merge_traces(folder_ / "run", files, merged());
  }
  std::filesystem::path merged() const { return folder_ / "merged.json"; }
  /// "name rank begin duration" of each span, in the file's order, as Python reads it.
  std::vector<std::string> spans() const {
    std::istringstream lines(
        run_python("import json, sys\n"
                   "for e in json.load(open(sys.argv[1])):\n"
                   "  if e['ph'] == 'X': print(e['name'], e['pid'], float(round(e['ts'], 3)), float(round(e['dur'], 3)))",
                   {merged()}));
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    return all;
  }
  TemporaryFolder folder_;
};

TEST_F(TraceMerge, PutsAllRanksOnTheClockOfRankZero) {
  begin(0, 2) << span(0, "a", "compute", 100, 200) << ",\n" << span(0, "c", "compute", 300, 400) << "\n]\n";
  // Rank 1's clock is an hour ahead.
  begin(1, 2, -3.6e9) << span(1, "b", "compute", 3.6e9 + 210, 3.6e9 + 290) << ",\n"
                      << span(1, "d", "compute", 3.6e9 + 310, 3.6e9 + 500) << "\n]\n";
  const auto found = merge();
  // Rank 1 opened its trace when its clock showed 0, an hour before rank 0: times count from there.
  EXPECT_THAT(spans(), ElementsAre("a 0 3600000100.0 100.0", "b 1 3600000210.0 80.0", "c 0 3600000300.0 100.0", "d 1 3600000310.0 190.0"));
  EXPECT_DOUBLE_EQ(found["ranks"][1]["clock_offset"].get<double>(), -3600);
  EXPECT_DOUBLE_EQ(found["ranks"][1]["clock_uncertainty"].get<double>(), 1.5e-6);
}

TEST_F(TraceMerge, FollowsAClockThatDrifts) {
  begin(0, 2) << span(0, "a", "compute", 0, 1000) << "\n]\n";
  auto out = begin(1, 2, 100);
  out << span(1, "b", "compute", 500, 600) << ",\n";
  clock(out, 1, 1000, 200);
  out << "{\"name\":\"trace_end\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{\"left_out\":7}}\n]\n";
  out.close();
  const auto found = merge();
  EXPECT_THAT(spans(), ElementsAre("b 1 650.0 100.0", "a 0 0.0 1000.0"));
  EXPECT_DOUBLE_EQ(found["ranks"][1]["clock_drift"].get<double>(), 100e-6);
  EXPECT_EQ(found["ranks"][1]["left_out"], 7);
}

TEST_F(TraceMerge, CountsEachMomentOnceForTheInnermostSpan) {
  begin(0, 1) << span(0, "wait for samples", "data_wait", 0, 100'000) << ",\n"
              << span(0, "backward", "compute", 100'000, 500'000) << ",\n"
              << span(0, "all_reduce", "communication", 300'000, 550'000, 4) << ",\n"
              << span(0, "all_reduce", "communication", 560'000, 580'000) << ",\n"
              << span(0, "wait for gradients", "communication", 500'000, 600'000) << ",\n"
              << step(0, 1, 0, 700'000) << ",\n"
              << span(0, "read", "loading", 750'000, 800'000) << ",\n"
              << span(0, "evaluate", "evaluation", 700'000, 900'000) << ",\n"
              << span(0, "checkpoint", "checkpoint", 950'000, 1'000'000) << "\n]\n";
  const auto found = merge();
  const auto& rank = found["ranks"][0];
  const auto expect = [&](const char* part, double seconds) { EXPECT_NEAR(rank[part].get<double>(), seconds, 1e-9) << part; };
  expect("seconds", 1);
  expect("compute", 0.5);
  expect("communication", 0.1);
  expect("data_wait", 0.15);
  expect("evaluation", 0.15);
  expect("checkpoint", 0.05);
  expect("control", 0);
  expect("other", 0.05);
  expect("gradients_in_flight", 0.25);
  expect("gradients_exposed", 0.1);
  EXPECT_EQ(found["steps"], 1);
  EXPECT_TRUE(found["waited_for"].is_null()) << "a rank alone waits for nobody";
}

TEST_F(TraceMerge, NamesTheRankThatIsWaitedForAndTheSlowestSteps) {
  for (int rank = 0; rank < 3; ++rank) {
    auto out = begin(rank, 3);
    for (int number = 1; number <= 8; ++number) {
      const double from = number * 1e6;
      // Rank 1 computes 0.4 s and waits 0.1 s, the others compute 0.2 s and wait 0.3 s; step 6 takes longer on rank 2.
      const double to = from + (number == 6 && rank == 2 ? 900'000 : 500'000);
      out << span(rank, "all_reduce", "communication", from + (rank == 1 ? 400'000 : 200'000), from + 500'000) << ",\n"
          << step(rank, number, from, to) << ",\n";
    }
  }
  const auto found = merge();
  EXPECT_EQ(found["steps"], 8);
  EXPECT_EQ(found["waited_for"]["rank"], 1);
  EXPECT_EQ(found["waited_for"]["steps"], 8);
  EXPECT_NEAR(found["waited_for"]["seconds"].get<double>(), 8 * 0.2, 1e-9);
  ASSERT_THAT(found["slowest_steps"], SizeIs(5));
  const auto& slowest = found["slowest_steps"][0];
  EXPECT_EQ(slowest["step"], 6);
  EXPECT_EQ(slowest["rank"], 2);
  EXPECT_EQ(slowest["phase"], "retrieval_fit");
  EXPECT_EQ(slowest["stage"], "retrieval");
  EXPECT_NEAR(slowest["seconds"].get<double>(), 0.9, 1e-9);
  EXPECT_NEAR(slowest["communication"].get<double>(), 0.3, 1e-9);
}

TEST_F(TraceMerge, ReadsWhatKilledRanksLeft) {
  begin(0, 3) << span(0, "a", "compute", 100, 200) << ",\n" << span(0, "b", "compute", 300, 400) << ",\n{\"name\":\"c\",\"cat\":\"comp";
  begin(2, 3) << span(2, "d", "compute", 350, 390) << ",\n";
  const auto found = merge();
  EXPECT_THAT(spans(), ElementsAre("a 0 100.0 100.0", "d 2 350.0 40.0", "b 0 300.0 100.0"));
  EXPECT_EQ(found["damaged_lines"], 0) << "an unfinished end is no damage";
  EXPECT_THAT(found["missing_ranks"], ElementsAre(1));
}

TEST_F(TraceMerge, LeavesDamagedLinesOutAndSaysWhere) {
  begin(0, 1) << span(0, "a", "compute", 100, 200) << ",\n"
              << "{\"name\":\"x\",\"ph\"{\"name\":\"z\"},\n"
              << "{\"name\":\"y\",\"ph\":\"X\",\"ts\":\"soon\"},\n"
              << span(0, "b", "compute", 300, 400) << "\n]\n";
  testing::internal::CaptureStderr();
  const auto found = merge();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(file(0).string() + ":5: this line is damaged"));
  EXPECT_EQ(found["damaged_lines"], 2);
  EXPECT_THAT(spans(), SizeIs(2));
}

TEST_F(TraceMerge, LeavesOutLinesWithAnotherThingWhereTextOrNumbersBelong) {
  begin(0, 1) << span(0, "a", "compute", 100, 200) << ",\n"
              << R"({"name":"x","ph":5},)"
              << "\n"
              << R"({"name":7,"cat":"step","ph":"X","ts":1,"dur":2,"pid":0,"tid":0,"args":{"step":1}},)"
              << "\n"
              << R"({"name":"trace_end","ph":"M","args":[1]},)"
              << "\n"
              << R"({"name":"clock","ph":"M","pid":0,"tid":0,"args":{"at":"noon"}},)"
              << "\n"
              << R"({"name":"y","cat":"step","ph":"X","ts":1e308,"dur":1e308,"pid":0,"tid":0},)"
              << "\n"
              << R"({"name":"y","cat":"step","ph":"X","ts":1,"dur":2,"pid":0,"tid":1e300},)"
              << "\n"
              << R"({"name":"s","cat":"step","ph":"X","ts":300,"dur":2,"pid":0,"tid":0,"args":{"step":1,"stage":[]}})"
              << "\n]\n";
  const auto found = merge();
  EXPECT_EQ(found["damaged_lines"], 6);
  EXPECT_EQ(found["steps"], 1);
  EXPECT_THAT(spans(), SizeIs(2));
}

TEST_F(TraceMerge, LeavesOutALineThatIsLongerThanAnyOfOurs) {
  auto out = begin(0, 1);
  out << span(0, "long", "compute", 1, 2, 0, "\"text\":\"" + std::string(2 << 20, 'x') + '"') << ",\n" << step(0, 1, 3, 4) << ",\n]\n";
  out.close();
  const auto found = merge();
  EXPECT_EQ(found["damaged_lines"], 1);
  EXPECT_THAT(spans(), ElementsAre("retrieval_fit 0 3.0 1.0"));
}

TEST_F(TraceMerge, DoesNotBelieveAnAbsurdNumberOfRanks) {
  begin(0, 2'000'000'000) << span(0, "a", "compute", 100, 200) << "\n]\n";
  testing::internal::CaptureStderr();
  const auto found = merge();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("2000000000 ranks, which is damage"));
  EXPECT_THAT(found["missing_ranks"], SizeIs(0));
  EXPECT_EQ(found["damaged_lines"], 1);
}

TEST_F(TraceMerge, LeavesOutTheFilesOfAnOlderTrace) {
  begin(0, 1, 0, /*session=*/2) << span(0, "a", "compute", 100, 200) << "\n]\n";
  begin(1, 2, 0, /*session=*/1) << span(1, "b", "compute", 100, 200) << "\n]\n";
  testing::internal::CaptureStderr();
  merge();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("rank 1 has the file of an older trace"));
  EXPECT_THAT(spans(), SizeIs(1));
}

TEST_F(TraceMerge, RefusesRunsWithoutTraceAndFilesThatAreNone) {
  std::filesystem::create_directories(file(0).parent_path());
  try {
    merge();
    FAIL();
  } catch (const InputMissing& error) {
    EXPECT_THAT(error.what(), HasSubstr("--monitoring.trace_steps FIRST:LAST"));
  }
  for (const char* content : {"", "hello\n", "[\n{\"name\":\"trace\"},\n", "{\"traceEvents\":[]}\n"}) {
    std::ofstream(file(0)) << content;
    EXPECT_THROW(merge(), DataError) << content;
  }
  EXPECT_FALSE(std::filesystem::exists(merged()));
}

}  // namespace
}  // namespace duet
