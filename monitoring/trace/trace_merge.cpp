#include "monitoring/trace/trace_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <queue>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/log.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSlowestSteps = 5;
constexpr double kMicrosecond = 1e-6;

// More are not believed: it is a damaged number.
constexpr std::int64_t kMostRanks = 100'000;

// Longer lines are not of our making: what is beyond is not kept, so that they do not parse and count as damaged.
constexpr std::size_t kLongestLine = 1 << 20;

/// std::getline with that bound.
bool next_line(std::istream& in, std::string& line) {
  line.clear();
  bool any = false;
  for (int byte; (byte = in.get()) != EOF; any = true) {
    if (byte == '\n') return true;
    if (line.size() < kLongestLine) line.push_back(static_cast<char>(byte));
  }
  return any;
}

/// A member of an object as text; empty where it is absent or something else.
std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

struct Span {
  double begin = 0, end = 0;  // microseconds, on rank 0's clock
  int thread = 0;
  std::string kind;
  Json event;
};

/// One rank's file, from its beginning to its end.
class RankTrace {
 public:
  explicit RankTrace(fs::path file) : file_(std::move(file)), in_(file_, std::ios::binary) {
    if (!in_) throw InputMissing("{}: cannot be opened.", file_.string());
    const auto first = next_event();
    if (!first || text_at(*first, "name") != "trace") throw DataError("{}: is no trace that Duet wrote.", file_.string());
    about = member<Json>(*first, "args", file_.string());
    rank = member<int>(about, "rank", file_.string());
    find_clocks();
    if (clocks_.empty()) throw DataError("{}: holds no reading of the clock.", file_.string());
  }

  /// The next span; what is metadata goes to `metadata` instead. Nothing at the end.
  template <typename Use>
  std::optional<Span> next_span(Use metadata) {
    for (;;) {
      auto event = next_event();
      if (!event) return std::nullopt;
      if (text_at(*event, "ph") != "X") {
        if (text_at(*event, "name") == "trace_end") left_out = whole(event->value("args", Json::object()), "left_out");
        metadata(*event);
        continue;
      }
      try {
        const auto subject = file_.string();
        Span span;
        span.begin = on_rank_0(member<double>(*event, "ts", subject));
        span.end = span.begin + member<double>(*event, "dur", subject);
        span.thread = member<int>(*event, "tid", subject);
        span.kind = member<std::string>(*event, "cat", subject);
        if (!std::isfinite(span.begin) || !std::isfinite(span.end) || span.end < span.begin) {
          damaged();
          continue;
        }
        span.event = std::move(*event);
        return span;
      } catch (const DataError&) {
        damaged();
      }
    }
  }

  double opened() const { return on_rank_0(clocks_.front().at_nanoseconds / 1000.0); }
  const ClockReading& first_clock() const { return clocks_.front(); }
  std::int64_t drift_nanoseconds() const { return clocks_.back().offset_nanoseconds - clocks_.front().offset_nanoseconds; }

  Json about;
  int rank = 0;
  std::int64_t damaged_lines = 0, left_out = 0;

 private:
  std::optional<Json> next_event() {
    std::string line;
    while (next_line(in_, line)) {
      ++line_;
      const bool unfinished = in_.eof();
      if (line.ends_with(',')) line.pop_back();
      if (line == "[" || line == "]" || line.empty()) continue;
      auto event = parse_json_line(line);
      if (is_event(event)) return event;
      if (!unfinished || event.is_object()) damaged();
    }
    return std::nullopt;
  }

  /// What every event has, whatever it tells of: text where text belongs, so that the merged file can be read.
  static bool is_event(const Json& event) {
    if (!event.is_object() || text_at(event, "name").empty() || text_at(event, "ph").empty()) return false;
    const auto args = event.find("args");
    return args == event.end() || args->is_object();
  }

  void damaged() {
    if (damaged_lines++ == 0) warn("{}:{}: this line is damaged and left out, and so are others like it.", file_.string(), line_);
  }

  // The last one stands at the file's end, so the whole file is looked through; the spans are not parsed for it.
  void find_clocks() {
    std::ifstream in(file_, std::ios::binary);
    for (std::string line; next_line(in, line);) {
      if (!line.starts_with(R"({"name":"clock")")) continue;
      if (line.ends_with(',')) line.pop_back();
      const auto event = parse_json_line(line);
      if (!is_event(event) || !event.contains("args")) continue;  // counted when the events are read
      constexpr double kLargest = 9e15;                           // of microseconds: nanoseconds then still fit in 64 bits
      const auto value = [&](const char* key) {
        const auto& args = event["args"];
        return args.contains(key) && args[key].is_number() ? args[key].get<double>() : 2 * kLargest;
      };
      const double at = value("at"), offset = value("offset"), uncertainty = value("uncertainty");
      if (std::max({std::abs(at), std::abs(offset), std::abs(uncertainty)}) > kLargest) {
        warn("{}: a reading of the clock is damaged and left out.", file_.string());
        ++damaged_lines;
        continue;
      }
      const auto nanoseconds = [](double microseconds) { return static_cast<std::int64_t>(microseconds * 1000); };
      clocks_.push_back({nanoseconds(at), nanoseconds(offset), nanoseconds(uncertainty)});
    }
  }

  double on_rank_0(double microseconds) const {
    const auto& first = clocks_.front();
    const auto& last = clocks_.back();
    double offset = static_cast<double>(first.offset_nanoseconds);
    const auto apart = static_cast<double>(last.at_nanoseconds - first.at_nanoseconds);
    if (apart > 0) {
      offset += (microseconds * 1000 - static_cast<double>(first.at_nanoseconds)) / apart * static_cast<double>(drift_nanoseconds());
    }
    return microseconds + offset / 1000;
  }

  fs::path file_;
  std::ifstream in_;
  std::int64_t line_ = 0;
  std::vector<ClockReading> clocks_;
};

/// Where a rank's main thread spent its time.
class MainThread {
 public:
  struct Inside {
    double communication = 0, data_wait = 0;
  };

  /// Spans in the order in which they end, so that those inside a span come before it. Returns what is inside, itself included.
  Inside add(const Span& span) {
    first_ = std::min(first_, span.begin);
    last_ = std::max(last_, span.end);
    double own = span.end - span.begin;
    Inside inside;
    while (!closed_.empty() && closed_.back().begin >= span.begin) {
      own -= closed_.back().end - closed_.back().begin;
      inside.communication += closed_.back().inside.communication;
      inside.data_wait += closed_.back().inside.data_wait;
      closed_.pop_back();
    }
    own_[span.kind] += own;
    if (span.kind == name_of(SpanKind::communication)) inside.communication += own;
    if (span.kind == name_of(SpanKind::data_wait)) inside.data_wait += own;
    closed_.push_back({span.begin, span.end, inside});
    if (span.kind == name_of(SpanKind::step)) closed_.clear();  // nothing is around a step
    return inside;
  }

  double own(SpanKind kind) const {
    const auto found = own_.find(name_of(kind));
    return found == own_.end() ? 0 : found->second;
  }
  double all() const { return std::max(0.0, last_ - first_); }
  double other() const {
    double rest = all();
    for (const auto& [kind, own] : own_) rest -= own;
    return std::max(0.0, rest);
  }

 private:
  struct Closed {
    double begin, end;
    Inside inside;
  };
  std::vector<Closed> closed_;  // not yet found inside another
  std::map<std::string, double> own_;
  double first_ = std::numeric_limits<double>::infinity(), last_ = -std::numeric_limits<double>::infinity();
};

/// One step over all ranks.
struct Step {
  Json args;
  std::string phase;
  double seconds = 0;  // of the rank that took longest
  int slowest = 0;
  MainThread::Inside inside;  // on that rank
  int ranks = 0;
  double communication = 0;  // over ranks
  double least_communication = 0;
  int waited_for = 0;
};

class Steps {
 public:
  explicit Steps(int ranks) : ranks_(ranks) {}

  void add(int rank, const Span& span, const MainThread::Inside& inside) {
    const auto args = span.event.value("args", Json::object());
    if (!args.contains("step") || !args["step"].is_number_integer()) return;
    const auto number = args["step"].get<std::int64_t>();
    auto& step = open_[number];
    const double seconds = (span.end - span.begin) * kMicrosecond, communication = inside.communication * kMicrosecond;
    if (step.ranks == 0 || seconds > step.seconds) {
      step.args = args;
      step.phase = text_at(span.event, "name");
      step.seconds = seconds;
      step.slowest = rank;
      step.inside = inside;
    }
    if (step.ranks == 0 || communication < step.least_communication) {
      step.least_communication = communication;
      step.waited_for = rank;
    }
    step.communication += communication;
    if (++step.ranks < ranks_) return;
    close(step);
    open_.erase(number);
  }

  std::int64_t count() const { return count_; }

  Json slowest() {
    Json list = Json::array();
    for (const auto& step : slowest_) {
      list.push_back({{"step", step.args["step"]},
                      {"stage", text_at(step.args, "stage")},
                      {"phase", step.phase},
                      {"seconds", step.seconds},
                      {"rank", step.slowest},
                      {"communication", step.inside.communication * kMicrosecond},
                      {"data_wait", step.inside.data_wait * kMicrosecond}});
    }
    return list;
  }

  Json waited_for() const {
    Json worst;
    for (const auto& [rank, waits] : waits_) {
      if (worst.is_null() || waits.first > worst["seconds"].get<double>()) {
        worst = Json{{"rank", rank}, {"seconds", waits.first}, {"steps", waits.second}};
      }
    }
    return worst;
  }

 private:
  void close(const Step& step) {
    ++count_;
    const auto place = std::ranges::find_if(slowest_, [&](const Step& other) { return step.seconds > other.seconds; });
    slowest_.insert(place, step);
    if (slowest_.size() > kSlowestSteps) slowest_.pop_back();
    if (ranks_ < 2) return;
    auto& [seconds, steps] = waits_[step.waited_for];
    seconds += (step.communication - step.least_communication) / (ranks_ - 1) - step.least_communication;
    ++steps;
  }

  int ranks_;
  std::int64_t count_ = 0;
  std::map<std::int64_t, Step> open_;  // not seen on all ranks yet
  std::vector<Step> slowest_;
  std::map<int, std::pair<double, std::int64_t>>
      waits_;  // by the rank waited for: how much longer the others communicated, in how many steps
};

std::vector<std::unique_ptr<RankTrace>> open_traces(const fs::path& run_folder, std::span<const fs::path> files) {
  std::vector<std::unique_ptr<RankTrace>> traces;
  for (const auto& file : files) traces.push_back(std::make_unique<RankTrace>(file));
  std::error_code absent;
  if (!fs::exists(run_folder, absent)) throw InputMissing("{}: there is no such folder.", run_folder.string());
  if (traces.empty()) {
    throw InputMissing(
        "{}: holds no trace (log/trace-rank-N.json). Train with --monitoring.trace_steps FIRST:LAST, steps counted over all stages.",
        run_folder.string());
  }
  const auto started = [](const auto& trace) { return whole(trace->about, "session"); };
  const auto newest = started(*std::ranges::max_element(traces, {}, started));
  std::erase_if(traces, [&](const auto& trace) {
    if (started(trace) == newest) return false;
    warn("{}: rank {} has the file of an older trace, which is left out.", run_folder.string(), trace->rank);
    return true;
  });
  std::ranges::sort(traces, {}, [](const auto& trace) { return trace->rank; });
  return traces;
}

/// The array of events, one a line; visible under its name only when it is complete.
class Output {
 public:
  explicit Output(const fs::path& file) try : file_(file) {
  } catch (const CannotWrite& error) {
    throw CannotCreate("{}", error.what());
  }
  void write(const Json& event) { file_.write((events++ == 0 ? "[\n" : ",\n") + json_text(event)); }
  void finish() {
    file_.write(events == 0 ? "[\n]\n" : "\n]\n");
    file_.commit();
  }
  std::int64_t events = 0;

 private:
  AtomicFile file_;
};

}  // namespace

Json merge_traces(const fs::path& run_folder, std::span<const fs::path> files, const fs::path& out) {
  auto traces = open_traces(run_folder, files);
  double origin = std::numeric_limits<double>::infinity();
  for (const auto& trace : traces) origin = std::min(origin, trace->opened());

  Output output(out);
  Steps steps(static_cast<int>(traces.size()));
  std::vector<MainThread> main_threads(traces.size());
  std::vector<double> in_flight(traces.size()), exposed(traces.size());
  std::vector<std::optional<Span>> spans(traces.size());
  using Next = std::pair<double, std::size_t>;  // end of a rank's next span
  std::priority_queue<Next, std::vector<Next>, std::greater<>> queue;
  const auto advance = [&](std::size_t index) {
    spans[index] = traces[index]->next_span([&](const Json& event) { output.write(event); });
    if (spans[index]) queue.emplace(spans[index]->end, index);
  };
  for (std::size_t index = 0; index < traces.size(); ++index) advance(index);
  while (!queue.empty()) {
    const auto index = queue.top().second;
    queue.pop();
    auto& span = *spans[index];
    span.event["ts"] = std::round((span.begin - origin) * 1000) / 1000;
    output.write(span.event);
    const bool communicates = span.kind == name_of(SpanKind::communication);
    if (span.thread == 0) {
      const auto inside = main_threads[index].add(span);
      if (span.kind == name_of(SpanKind::step)) steps.add(traces[index]->rank, span, inside);
      if (communicates && text_at(span.event, "name") == kGradientWait) exposed[index] += span.end - span.begin;
    } else if (communicates) {
      in_flight[index] += span.end - span.begin;
    }
    advance(index);
  }
  output.finish();

  Json found{{"run", run_folder.string()}, {"out", out.string()}, {"events", output.events}};
  std::int64_t damaged = 0;
  Json ranks = Json::array();
  for (std::size_t index = 0; index < traces.size(); ++index) {
    const auto& trace = *traces[index];
    damaged += trace.damaged_lines;
    Json rank{{"rank", trace.rank}, {"host", text_at(trace.about, "host")}, {"seconds", main_threads[index].all() * kMicrosecond}};
    const auto& thread = main_threads[index];
    rank["compute"] = (thread.own(SpanKind::step) + thread.own(SpanKind::compute)) * kMicrosecond;
    for (const auto kind : {SpanKind::communication, SpanKind::data_wait, SpanKind::checkpoint, SpanKind::evaluation, SpanKind::control}) {
      rank[name_of(kind)] = thread.own(kind) * kMicrosecond;
    }
    // An evaluation reads its photos itself.
    rank["data_wait"] = (thread.own(SpanKind::data_wait) + thread.own(SpanKind::loading)) * kMicrosecond;
    rank["other"] = thread.other() * kMicrosecond;
    rank["gradients_in_flight"] = in_flight[index] * kMicrosecond;
    rank["gradients_exposed"] = exposed[index] * kMicrosecond;
    rank["clock_offset"] = static_cast<double>(trace.first_clock().offset_nanoseconds) * 1e-9;
    rank["clock_uncertainty"] = static_cast<double>(trace.first_clock().uncertainty_nanoseconds) * 1e-9;
    rank["clock_drift"] = static_cast<double>(trace.drift_nanoseconds()) * 1e-9;
    rank["left_out"] = trace.left_out;
    ranks.push_back(std::move(rank));
  }
  Json missing = Json::array();
  auto all_ranks = whole(traces.front()->about, "ranks");
  if (all_ranks > kMostRanks) {
    warn("{}: a trace tells of {} ranks, which is damage; ranks without a trace are not listed.", run_folder.string(), all_ranks);
    ++damaged;
    all_ranks = 0;
  }
  for (std::int64_t rank = 0; rank < all_ranks; ++rank) {
    if (std::ranges::none_of(traces, [&](const auto& trace) { return trace->rank == rank; })) missing.push_back(rank);
  }
  found["damaged_lines"] = damaged;
  found["missing_ranks"] = std::move(missing);
  found["ranks"] = std::move(ranks);
  found["steps"] = steps.count();
  found["slowest_steps"] = steps.slowest();
  found["waited_for"] = steps.waited_for();
  return found;
}

}  // namespace duet
