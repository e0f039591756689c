#include "trainer/loop/run_trace.h"

#include "base/host.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/communicate/clock_offset.h"
#include "cluster/run/run_folder.h"

namespace duet {

RunTrace::RunTrace(const TrainingConfig& config, const Ranks& ranks, TraceMirror* mirror)
    : config_(config), ranks_(ranks), mirror_(mirror), window_(parse_trace_window(config.monitoring.trace_steps)) {}

void RunTrace::before_step(std::int64_t step) {
  if (trace_ && step > window_.last) finish();
  if (trace_ || step < window_.first || step > window_.last) return;
  // The same on all ranks, so that files of different traces are not merged.
  auto session = static_cast<std::int64_t>(unix_seconds() * 1e6);
  ranks_.control.broadcast(std::span(&session, 1), 0);
  const auto file = RunFolder(config_.run.folder).trace(ranks_.rank());
  const Json about{{"run", config_.run.folder}, {"rank", ranks_.rank()},       {"ranks", ranks_.size()},   {"host", host_name()},
                   {"session", session},        {"first_step", window_.first}, {"last_step", window_.last}};
  const auto clock = measure_clock(ranks_.control);
  trace_ = std::make_unique<Trace>(Trace::Options{.file = file, .rank = ranks_.rank(), .about = about, .mirror = mirror_}, clock);
}

void RunTrace::finish() {
  if (!trace_) return;
  trace_->stop();
  trace_->read_clock(measure_clock(ranks_.control));
  trace_.reset();
  if (ranks_.rank() == 0)
    say("the trace is complete; `duet inspect trace {}` merges the ranks' files and sums them up", config_.run.folder);
}

}  // namespace duet
