#pragma once
#include <memory>

#include "cluster/ranks/ranks.h"
#include "monitoring/trace/trace.h"
#include "trainer/config.h"

namespace duet {

/// The trace of the steps that monitoring.trace_steps chooses: RUN/log/trace-rank-N.json. It begins before the first of them and ends
/// before the step after the last, so that what stands between steps (evaluations, checkpoints) is in it. Main thread.
class RunTrace {
 public:
  /// `mirror`: gets all spans too; may be null.
  RunTrace(const TrainingConfig& config, const Ranks& ranks, TraceMirror* mirror);

  /// `step`: the one that is about to come, counted over all stages from 1 on; the same on all ranks. Collective where the trace begins or
  /// ends: the ranks then compare their clocks.
  void before_step(std::int64_t step);
  /// No step comes any more. Collective.
  void finish();

 private:
  const TrainingConfig& config_;
  const Ranks& ranks_;
  TraceMirror* mirror_;
  TraceWindow window_;
  std::unique_ptr<Trace> trace_;
};

}  // namespace duet
