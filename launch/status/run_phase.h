#pragma once
#include <optional>

#include "base/error.h"
#include "launch/jobs/job_queue.h"

namespace duet {

/// How a run stands.
enum class RunPhase {
  not_started,
  waiting,   ///< its job is in the queue, for the first time or again
  starting,  ///< the job runs, the training not yet
  running,
  interrupted,  ///< saved and stopped; can go on
  finished,
  refused,  ///< ended before the first step: configuration, data, machine
  failed,   ///< ended by an error of its own
  lost,     ///< ended without a word, or with ranks that were lost; can go on
};
const char* name_of(RunPhase phase);

/// What tells how a run stands.
struct RunEvidence {
  bool locked = false;                 ///< a process holds the run's lock
  bool had_owner = false;              ///< some process had it
  bool released = true;                ///< and gave it back
  bool owner_elsewhere = false;        ///< on another host, whose locks may not be seen here
  double silent_seconds = 0;           ///< since the last line of its logs
  std::optional<ExitStatus> end = {};  ///< what the last owner's ranks said last, the worst of it
  double end_time = 0;                 ///< when, seconds since 1970
  bool stepped = false;                ///< the last owner did a step
  bool submitted = false;              ///< there is a job, and the queue could be asked
  std::optional<QueuedJob> job = {};   ///< it is in the queue
};
RunPhase phase_of(const RunEvidence& evidence);

}  // namespace duet
