#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <set>

#include "tests/python.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Ge;
using testing::HasSubstr;

std::filesystem::path trace_of(const TinyRun& tiny, int rank) { return tiny.folder() / "log" / fmt::format("trace-rank-{}.json", rank); }

Json inspect(const TinyRun& tiny) {
  const auto outcome = run(duet({"inspect", "trace", tiny.folder().string(), "--json"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  return parse_json(outcome.out, "inspect trace");
}

/// All stages on two ranks, every step traced.
const TinyRun& traced_run() {
  static const TinyRun traced;
  static const bool trained = [] {
    const auto outcome = run(traced.train({"--ranks", "2", "--monitoring.trace_steps", "1:1000000"}));
    EXPECT_EQ(outcome.status, 0) << outcome;
    EXPECT_THAT(outcome.error, HasSubstr("duet inspect trace"));
    return outcome.status == 0;
  }();
  EXPECT_TRUE(trained);
  return traced;
}

// Reads a merged trace with Python's parser, sees that the spans of each thread nest and that the parts of each step fit into it, and
// prints "rank thread name" of what there is.
constexpr const char* kReader = R"(
import json, sys
from collections import defaultdict
events = json.load(open(sys.argv[1]))
threads = {(e['pid'], e['tid']): e['args']['name'] for e in events if e['name'] == 'thread_name'}
spans = defaultdict(list)
for e in events:
    if e['ph'] == 'X':
        assert e['dur'] >= 0 and e['ts'] >= 0, e
        spans[e['pid'], e['tid']].append(e)
seen, rounding = set(), 0.002
for key, all in spans.items():
    all.sort(key=lambda e: (e['ts'], -e['dur']))
    open_spans, parts = [], defaultdict(float)
    for e in all:
        while open_spans and open_spans[-1]['ts'] + open_spans[-1]['dur'] <= e['ts'] + rounding: open_spans.pop()
        if open_spans:
            around = open_spans[-1]
            assert e['ts'] + e['dur'] <= around['ts'] + around['dur'] + rounding, (around, e)
            parts[id(around)] += e['dur']
        open_spans.append(e)
        seen.add((e['pid'], threads[key], e['name']))
    for e in all:
        if e['cat'] == 'step':
            assert e['args']['stage'] and e['args']['step'] > 0, e
            assert 0 < parts[id(e)] <= e['dur'] + rounding * len(all), (e, parts[id(e)])
for line in sorted(seen): print(*line)
)";

TEST(Traces, HoldEverythingThatARunDoes) {
  const auto& tiny = traced_run();
  const auto found = inspect(tiny);
  std::istringstream lines(run_python(kReader, {tiny.folder() / "trace.json"}));
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) seen.insert(line);
  for (const char* rank : {"0 ", "1 "}) {
    for (const char* name : {"main generator_fit",    "main retrieval_fit",   "main discriminator_warmup",
                             "main joint_retrieval",  "main joint_generator", "main backward",
                             "main send bucket",      "main optimiser",       "main wait for gradients",
                             "main wait for samples", "main all_reduce",      "main all_gather",
                             "main broadcast",        "main directive",       "main evaluate",
                             "main evaluate all",     "main judge generator", "main checkpoint",
                             "gradients all_reduce",  "loader sample",        "loader read",
                             "loader decode"}) {
      EXPECT_THAT(seen, Contains(rank + std::string(name)));
    }
  }
  EXPECT_THAT(seen, Contains("0 checkpoints write checkpoint"));
  EXPECT_THAT(seen, Contains("0 main draw samples"));

  std::int64_t steps = 0;
  for (const auto& line : tiny.steps()) steps = std::max(steps, line.at("total_step").get<std::int64_t>());
  EXPECT_EQ(found.at("steps"), steps);
  EXPECT_EQ(found.at("damaged_lines"), 0);
  EXPECT_TRUE(found.at("missing_ranks").empty());
  ASSERT_EQ(found.at("ranks").size(), 2U);
  for (const auto& rank : found.at("ranks")) {
    double sum = 0;
    for (const char* part : {"compute", "communication", "data_wait", "checkpoint", "evaluation", "control", "other"}) {
      EXPECT_THAT(rank.at(part).get<double>(), Ge(0)) << part;
      sum += rank.at(part).get<double>();
    }
    EXPECT_NEAR(sum, rank.at("seconds").get<double>(), 1e-3);
    EXPECT_GT(rank.at("compute").get<double>(), 0);
    EXPECT_GT(rank.at("gradients_in_flight").get<double>(), 0);
    EXPECT_EQ(rank.at("left_out"), 0);
  }
}

TEST(Traces, AreSummedUpForPeople) {
  const auto merged = traced_run().file("merged.json");
  const auto outcome = run(duet({"inspect", "trace", traced_run().folder().string(), "--out", merged.string()}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr(merged.string()), HasSubstr("ui.perfetto.dev"), HasSubstr("clock       rank 1"),
                                 HasSubstr("slowest of"), HasSubstr("The others waited most for rank")));
  EXPECT_NE(run_python(kReader, {merged}), "");
}

TEST(Traces, AreOffUnlessAskedFor) {
  const auto& tiny = finished_run();
  EXPECT_FALSE(std::filesystem::exists(trace_of(tiny, 0)));
  const auto outcome = run(duet({"inspect", "trace", tiny.folder().string()}));
  EXPECT_EQ(outcome.status, 66) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("--monitoring.trace_steps FIRST:LAST"));
}

TEST(Traces, AreCompleteAsSoonAsTheLastOfTheirStepsIsOverWhileTheRunGoesOn) {
  const TinyRun tiny;
  Child program(tiny.train(endless() + Words{"--ranks", "2", "--monitoring.trace_steps", "3:5"}));
  wait_for_steps(program, tiny, 8);
  const auto steps = run_python(
      "import json, sys\nprint([e['args']['step'] for e in json.load(open(sys.argv[1])) if e.get('cat') == 'step'])", {trace_of(tiny, 1)});
  EXPECT_EQ(steps, "[3, 4, 5]\n");
  EXPECT_EQ(inspect(tiny).at("steps"), 3);
  program.send(SIGTERM);
  EXPECT_EQ(program.wait().status, 75);
}

TEST(Traces, OfARunThatIsKilledStayReadable) {
  const TinyRun tiny;
  Child program(tiny.train(endless() + Words{"--ranks", "2", "--monitoring.trace_steps", "1:1000000"}));
  // A step is in the file soon after it is done.
  EXPECT_TRUE(wait_until([&] {
    const auto file = trace_of(tiny, 1);
    return !program.running() || (std::filesystem::exists(file) && read_file(file).find("\"step\":6}") != std::string::npos);
  })) << program.error_so_far();
  ASSERT_EQ(::kill(program.process_of_rank(1), SIGKILL), 0);
  EXPECT_EQ(program.wait().status, 76);
  const auto found = inspect(tiny);
  EXPECT_GE(found.at("steps").get<int>(), 5);
  EXPECT_NE(run_python(kReader, {tiny.folder() / "trace.json"}), "");
}

}  // namespace
}  // namespace duet
