#include "monitoring/trace/trace.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"

namespace duet {
namespace detail {

std::atomic<bool> trace_is_on{false};

struct TraceEvent {
  std::string name;
  SpanKind kind;
  TraceMirror* mirror;
  std::int64_t begin = 0, end = 0;  // nanoseconds
  int thread = 0;
  std::string args = {};  // JSON, each with a comma before it
};

}  // namespace detail

using Event = std::unique_ptr<detail::TraceEvent>;

namespace {

constexpr std::size_t kMostBuffered = 1 << 16;
constexpr std::size_t kWriteAt = 1 << 13;
constexpr auto kWriteEvery = std::chrono::milliseconds(200);

std::string quoted(const std::string& text) { return json_text(Json(text)); }

double microseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

/// Metadata events that viewers do not know are passed over by them.
std::string metadata(const char* name, int rank, int thread, const Json& args) {
  return fmt::format(R"({{"name":"{}","ph":"M","pid":{},"tid":{},"args":{}}})", name, rank, thread, json_text(args));
}

Json to_json(const ClockReading& clock) {
  return {{"at", microseconds(clock.at_nanoseconds)},
          {"offset", microseconds(clock.offset_nanoseconds)},
          {"uncertainty", microseconds(clock.uncertainty_nanoseconds)}};
}

/// Small numbers for threads, in the order of their first spans; 0 is the main thread.
int number_of_this_thread() {
  static std::atomic<int> threads{0};
  thread_local const int number = ::getpid() == ::gettid() ? 0 : ++threads;
  return number;
}

}  // namespace

struct Trace::State {
  State(const Options& wanted, const ClockReading& clock) : options(wanted), out(options.file, std::ios::binary | std::ios::trunc) {
    line("[\n" + metadata("trace", options.rank, 0, options.about));
    const auto host = options.about.value("host", "");
    line(metadata("process_name", options.rank, 0, {{"name", fmt::format("rank {}{}{}", options.rank, host.empty() ? "" : " on ", host)}}));
    line(metadata("process_sort_index", options.rank, 0, {{"sort_index", options.rank}}));
    line(metadata("clock", options.rank, 0, to_json(clock)));
    flush();
    try {
      writer = start_thread("trace", [this] { work(); });
    } catch (const Unavailable& error) {
      warn("{}: {} What fits into memory is written at the trace's end.", options.file.string(), error.what());
    }
  }

  void add(Event event) {
    std::unique_lock lock(mutex);
    if (events.size() >= kMostBuffered) {
      ++left_out;
      return;
    }
    if (named.insert(event->thread).second) names.emplace_back(event->thread, event->thread == 0 ? "main" : name_of_this_thread());
    events.push_back(std::move(event));
    const bool many = events.size() == kWriteAt;
    lock.unlock();
    if (many) wake.notify_one();
  }

  void work() {
    std::vector<Event> taken;
    std::unique_lock lock(mutex);
    for (bool last = false; !last;) {
      wake.wait_for(lock, kWriteEvery, [&] { return ending || events.size() >= kWriteAt; });
      last = ending;
      taken.clear();
      taken.swap(events);
      const auto new_names = std::exchange(names, {});
      lock.unlock();
      for (const auto& [thread, name] : new_names) line(metadata("thread_name", options.rank, thread, {{"name", name}}));
      for (const auto& event : taken) write(*event);
      if (!taken.empty()) flush();
      lock.lock();
    }
  }

  void write(const detail::TraceEvent& event) {
    if (bytes >= options.most_bytes) {
      ++left_out_of_file;
      return;
    }
    const auto args = event.args.empty() ? "" : event.args.c_str() + 1;
    line(fmt::format(R"({{"name":"{}","cat":"{}","ph":"X","ts":{:.3f},"dur":{:.3f},"pid":{},"tid":{},"args":{{{}}}}})", event.name,
                     name_of(event.kind), microseconds(event.begin), microseconds(event.end - event.begin), options.rank, event.thread,
                     args));
  }

  void line(const std::string& event, const char* end = ",\n") {
    out << event << end;
    bytes += std::ssize(event) + 2;
  }

  void flush() {
    out.flush();
    if (out || failed) return;
    failed = true;
    warn("{}: cannot be written; the trace is incomplete. Is the disk full?", options.file.string());
  }

  void finish() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    wake.notify_one();
    if (writer.joinable()) {
      writer.join();
    } else {
      work();
    }
    if (later) line(metadata("clock", options.rank, 0, to_json(*later)));
    const auto all_left_out = left_out + left_out_of_file;
    line(metadata("trace_end", options.rank, 0, {{"left_out", all_left_out}}), "\n]\n");
    flush();
    if (all_left_out > 0) {
      warn("{}: {} spans did not fit into the trace and are left out of it; choose fewer steps (monitoring.trace_steps).",
           options.file.string(), all_left_out);
    }
  }

  Options options;
  std::ofstream out;  // used by the writer, and before and after it
  std::int64_t bytes = 0, left_out_of_file = 0;
  bool failed = false;
  std::optional<ClockReading> later;

  std::mutex mutex;  // guards what follows
  std::condition_variable wake;
  std::vector<Event> events;
  std::vector<std::pair<int, std::string>> names;  // of threads, not written yet
  std::set<int> named;
  std::int64_t left_out = 0;
  bool ending = false;
  std::thread writer;
};

namespace {

// The trace that spans go to. A span that ends while it stops must find it alive or gone, hence the lock;
// it is taken only for recorded ones.
std::mutex current_mutex;
Trace* current = nullptr;
std::atomic<TraceMirror*> current_mirror{nullptr};

}  // namespace

const char* name_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::step:
      return "step";
    case SpanKind::compute:
      return "compute";
    case SpanKind::communication:
      return "communication";
    case SpanKind::data_wait:
      return "data_wait";
    case SpanKind::loading:
      return "loading";
    case SpanKind::checkpoint:
      return "checkpoint";
    case SpanKind::evaluation:
      return "evaluation";
    case SpanKind::control:
      return "control";
  }
  throw InternalError("no such kind of span: {}", static_cast<int>(kind));
}

std::int64_t trace_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void TraceSpan::begin(const char* name, SpanKind kind) {
  event_ = new detail::TraceEvent{.name = name, .kind = kind, .mirror = current_mirror.load(std::memory_order_acquire)};
  if (event_->mirror != nullptr) event_->mirror->begin_range(name);
  event_->begin = trace_nanoseconds();
}

void TraceSpan::end() {
  Event event(event_);
  event->end = trace_nanoseconds();
  event->thread = number_of_this_thread();
  if (event->mirror != nullptr) event->mirror->end_range();
  const std::lock_guard lock(current_mutex);
  if (current != nullptr) current->state_->add(std::move(event));
}

TraceSpan& TraceSpan::with(const char* key, std::int64_t number) {
  if (event_ != nullptr) event_->args += fmt::format(",\"{}\":{}", key, number);
  return *this;
}

TraceSpan& TraceSpan::with(const char* key, const std::string& text) {
  if (event_ != nullptr) event_->args += fmt::format(",\"{}\":{}", key, quoted(text));
  return *this;
}

Trace::Trace(const Options& options, const ClockReading& clock) {
  std::error_code failed;
  if (options.file.has_parent_path()) std::filesystem::create_directories(options.file.parent_path(), failed);
  refuse_link(options.file);
  state_ = std::make_unique<State>(options, clock);
  const std::lock_guard lock(current_mutex);
  DUET_CHECK(current == nullptr, "a second trace in this process");
  current = this;
  current_mirror.store(options.mirror, std::memory_order_release);
  detail::trace_is_on.store(true, std::memory_order_relaxed);
}

Trace::~Trace() {
  stop();
  state_->finish();
}

void Trace::stop() {
  const std::lock_guard lock(current_mutex);
  if (current != this) return;
  detail::trace_is_on.store(false, std::memory_order_relaxed);
  current_mirror.store(nullptr, std::memory_order_release);
  current = nullptr;
}

void Trace::read_clock(const ClockReading& clock) { state_->later = clock; }

TraceWindow parse_trace_window(const std::string& text) {
  if (text == "0") return {};
  TraceWindow window;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, window.first);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == ':') {
    const auto last = std::from_chars(first.ptr + 1, end, window.last);
    if (last.ec == std::errc() && last.ptr == end && window.first >= 1 && window.first <= window.last) return window;
  }
  throw UsageError("monitoring.trace_steps = '{}': takes FIRST:LAST, steps counted over all stages from 1 on ('101:110'), or 0 for none.",
                   text);
}

}  // namespace duet
