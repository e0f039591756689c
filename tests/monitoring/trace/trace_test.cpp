#include "monitoring/trace/trace.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/thread.h"
#include "tests/no_threads.h"
#include "tests/python.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

void pass(std::int64_t microseconds) {
  const auto end = trace_nanoseconds() + 1000 * microseconds;
  while (trace_nanoseconds() < end) std::this_thread::yield();
}

/// What Python's own parser finds in a trace; it refuses what is not JSON to the last byte.
std::vector<Json> events_in(const std::filesystem::path& file) {
  const auto text = run_python("import json, sys\nprint(json.dumps(json.load(open(sys.argv[1]))))", {file});
  return parse_json(text, "python").get<std::vector<Json>>();
}

std::vector<Json> spans_in(const std::filesystem::path& file) {
  auto events = events_in(file);
  std::erase_if(events, [](const Json& event) { return event.at("ph") != "X"; });
  return events;
}

Json event_called(const std::filesystem::path& file, const std::string& name) {
  for (const auto& event : events_in(file)) {
    if (event.at("name") == name) return event;
  }
  ADD_FAILURE() << "no event is called '" << name << "'";
  return {};
}

double begin_of(const Json& span) { return span.at("ts").get<double>(); }
double end_of(const Json& span) { return begin_of(span) + span.at("dur").get<double>(); }

class TraceFile : public testing::Test {
 protected:
  Trace::Options options() const { return {.file = file(), .rank = 3, .about = {{"rank", 3}, {"host", "here"}}}; }
  std::filesystem::path file() const { return folder_ / "log" / "trace.json"; }
  TemporaryFolder folder_;
};

TEST_F(TraceFile, SpansNestAndCarryTheirDetails) {
  {
    Trace trace(options(), {});
    TraceSpan outer("outer", SpanKind::step);
    outer.with("stage", "a \"quoted\"\nstage").with("step", 7);
    {
      const TraceSpan first("first", SpanKind::compute);
      pass(300);
    }
    const TraceSpan second("second", SpanKind::data_wait);
    pass(200);
  }
  const auto spans = spans_in(file());
  ASSERT_THAT(spans, SizeIs(3));
  const auto &first = spans[0], &second = spans[1], &outer = spans[2];
  EXPECT_EQ(first.at("name"), "first");
  EXPECT_EQ(second.at("name"), "second");
  EXPECT_EQ(outer.at("name"), "outer");
  EXPECT_GE(first.at("dur").get<double>(), 300);
  EXPECT_LE(begin_of(outer), begin_of(first));
  EXPECT_LE(end_of(first), begin_of(second));
  EXPECT_LE(end_of(second), end_of(outer));
  EXPECT_EQ(outer.at("cat"), "step");
  EXPECT_EQ(second.at("cat"), "data_wait");
  EXPECT_EQ(outer.at("args").at("stage"), "a \"quoted\"\nstage");
  EXPECT_EQ(outer.at("args").at("step"), 7);
  for (const auto& span : spans) {
    EXPECT_EQ(span.at("pid"), 3);
    EXPECT_EQ(span.at("tid"), 0);
  }
  EXPECT_EQ(event_called(file(), "process_name").at("args").at("name"), "rank 3 on here");
  EXPECT_EQ(event_called(file(), "thread_name").at("args").at("name"), "main");
}

TEST_F(TraceFile, RecordsNothingWhileItIsOff) {
  {
    const TraceSpan before("before", SpanKind::compute);
    EXPECT_FALSE(std::filesystem::exists(file()));
    Trace trace(options(), {});
    { const TraceSpan inside("inside", SpanKind::compute); }
    trace.stop();
    const TraceSpan after("after", SpanKind::compute);
  }
  const auto spans = spans_in(file());
  ASSERT_THAT(spans, SizeIs(1));
  EXPECT_EQ(spans[0].at("name"), "inside");
}

TEST_F(TraceFile, HoldsTheSpansOfAllThreadsUnderTheirNames) {
  constexpr int kThreads = 4, kSpans = 5000;
  {
    Trace trace(options(), {});
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([i] {
        name_this_thread(fmt::format("worker {}", i));
        for (int k = 0; k < kSpans; ++k) {
          TraceSpan span("work", SpanKind::loading);
          span.with("number", k);
        }
      });
    }
  }
  std::map<int, int> next;  // by thread: spans of one thread stand in their order
  std::set<std::string> names;
  for (const auto& event : events_in(file())) {
    if (event.at("name") == "thread_name") names.insert(event.at("args").at("name"));
    if (event.at("ph") != "X") continue;
    ASSERT_EQ(event.at("args").at("number"), next[event.at("tid")]++);
  }
  EXPECT_THAT(names, ElementsAre("worker 0", "worker 1", "worker 2", "worker 3"));
  ASSERT_THAT(next, SizeIs(kThreads));
  for (const auto& [thread, count] : next) EXPECT_EQ(count, kSpans) << thread;
}

TEST_F(TraceFile, IsBoundedAndSaysWhatItLeavesOut) {
  auto bounded = options();
  bounded.most_bytes = 10'000;
  testing::internal::CaptureStderr();
  {
    Trace trace(bounded, {});
    for (int i = 0; i < 500; ++i) const TraceSpan span("work", SpanKind::compute);
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("monitoring.trace_steps"));
  EXPECT_LT(std::filesystem::file_size(file()), 11'000);
  const auto left_out = event_called(file(), "trace_end").at("args").at("left_out").get<int>();
  EXPECT_GT(left_out, 0);
  EXPECT_EQ(left_out + std::ssize(spans_in(file())), 500);
}

TEST_F(TraceFile, IsReadableWhileItIsWrittenButForTheEnd) {
  Trace trace(options(), {});
  { const TraceSpan span("done", SpanKind::compute); }
  for (int i = 0; i < 500 && read_file(file()).find("\"done\"") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto copy = folder_ / "killed.json";  // what a killed process leaves
  std::filesystem::copy(file(), copy);
  const auto names = run_python(
      "import json, sys\n"
      "text = open(sys.argv[1]).read()\n"
      "assert text.startswith('[') and text.endswith('},\\n'), text\n"
      "print([e['name'] for e in json.loads(text[:-2] + ']') if e['ph'] == 'X'])",
      {copy});
  EXPECT_EQ(names, "['done']\n");
}

TEST_F(TraceFile, AFullDiskStopsNothing) {
  auto full = options();
  full.file = "/dev/full";
  testing::internal::CaptureStderr();
  {
    Trace trace(full, {});
    const TraceSpan span("work", SpanKind::compute);
  }
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("/dev/full"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(TraceFile, WithoutAThreadIsWrittenAtItsEnd) {
  testing::internal::CaptureStderr();
  {
    const NoThreads none;
    Trace trace(options(), {});
    { const TraceSpan span("work", SpanKind::compute); }
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("the thread 'trace' cannot be started"));
  EXPECT_THAT(spans_in(file()), SizeIs(1));
}

struct Ranges : TraceMirror {
  void begin_range(const char* name) override { seen.push_back(name); }
  void end_range() override { seen.push_back("end"); }
  std::vector<std::string> seen;
};

TEST_F(TraceFile, AProfilerGetsTheSameSpans) {
  Ranges ranges;
  auto mirrored = options();
  mirrored.mirror = &ranges;
  {
    Trace trace(mirrored, {});
    const TraceSpan outer("outer", SpanKind::step);
    const TraceSpan inner("inner", SpanKind::compute);
    trace.stop();  // ranges that have begun still end
    const TraceSpan later("later", SpanKind::compute);
  }
  EXPECT_THAT(ranges.seen, ElementsAre("outer", "inner", "end", "end"));
}

TEST(TraceWindow, IsReadFromText) {
  EXPECT_TRUE(parse_trace_window("0").is_off());
  const auto window = parse_trace_window("3:12");
  EXPECT_EQ(window.first, 3);
  EXPECT_EQ(window.last, 12);
  EXPECT_THROW(parse_trace_window(""), UsageError);
  EXPECT_THROW(parse_trace_window("12:3"), UsageError);
}

}  // namespace
}  // namespace duet
