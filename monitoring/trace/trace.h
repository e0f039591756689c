#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/json.h"
#include "monitoring/trace/trace_mirror.h"

namespace duet {

/// Where a thread's time goes; the trace's category, and what `duet inspect trace` adds up.
enum class SpanKind { step, compute, communication, data_wait, loading, checkpoint, evaluation, control };
const char* name_of(SpanKind kind);

/// The main thread's span in which it waits for gradients that the backward pass did not hide.
inline constexpr const char* kGradientWait = "wait for gradients";

namespace detail {
extern std::atomic<bool> trace_is_on;
struct TraceEvent;
}  // namespace detail

/// A stretch of time of the calling thread, from construction to destruction, in the trace of this process. While tracing is off it costs
/// one relaxed load. On one thread, so that spans nest.
///   TraceSpan span("read", SpanKind::loading);  …  span.with("bytes", size);
class TraceSpan {
 public:
  TraceSpan(const char* name, SpanKind kind) {
    if (detail::trace_is_on.load(std::memory_order_relaxed)) begin(name, kind);
  }
  ~TraceSpan() {
    if (event_ != nullptr) end();
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

  /// Adds a detail, which a viewer shows; no key twice.
  TraceSpan& with(const char* key, std::int64_t number);
  TraceSpan& with(const char* key, const std::string& text);

 private:
  void begin(const char* name, SpanKind kind);
  void end();

  detail::TraceEvent* event_ = nullptr;  // of a span that is recorded
};

/// The clock of all spans: nanoseconds, monotonic, of this host.
std::int64_t trace_nanoseconds();

/// How far a rank's clock is from rank 0's, at one moment.
struct ClockReading {
  std::int64_t at_nanoseconds = 0;           ///< on the rank's own clock
  std::int64_t offset_nanoseconds = 0;       ///< to be added to it
  std::int64_t uncertainty_nanoseconds = 0;  ///< the true offset is at most this far away
};

/// Records spans into a file in Chrome's trace event format: a JSON array with one event a line, which viewers also read when the process
/// was killed before it wrote the closing bracket. A thread of its own writes, so that those who are traced only fill a buffer. Bounded:
/// what does not fit into buffer or file is left out and counted. One at a time in a process; spans may come and go on all threads
/// meanwhile. Tracing never stops a training: a file that cannot be written is warned about once, and where no thread is granted, what fits
/// into the buffer is written at the end.
class Trace {
 public:
  struct Options {
    std::filesystem::path file;
    int rank = 0;
    Json about = Json::object();          ///< kept in the file's first line
    std::int64_t most_bytes = 256 << 20;  ///< of the file
    TraceMirror* mirror = nullptr;        ///< gets all spans too; outlives every span
  };
  /// Begins recording; an older file is replaced.
  Trace(const Options& options, const ClockReading& clock);
  /// Stops recording and completes the file; spans that are open are left out.
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Records nothing any more.
  void stop();
  /// A later reading, for the clocks' drift.
  void read_clock(const ClockReading& clock);

 private:
  struct State;
  friend class TraceSpan;
  std::unique_ptr<State> state_;
};

/// Steps of a run that are traced: monitoring.trace_steps, "FIRST:LAST" counted over all stages, from 1 on; "0": none.
struct TraceWindow {
  std::int64_t first = 0;
  std::int64_t last = -1;
  bool is_off() const { return last < first; }
};
/// Throws UsageError.
TraceWindow parse_trace_window(const std::string& text);

}  // namespace duet
