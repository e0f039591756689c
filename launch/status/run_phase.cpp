#include "launch/status/run_phase.h"

namespace duet {
namespace {

constexpr double kSilentElsewhere = 15 * 60;  // an owner on a host whose locks are not seen here counts as lost after that

}  // namespace

const char* name_of(RunPhase phase) {
  switch (phase) {
    case RunPhase::not_started:
      return "not started";
    case RunPhase::waiting:
      return "waiting in the queue";
    case RunPhase::starting:
      return "starting";
    case RunPhase::running:
      return "running";
    case RunPhase::interrupted:
      return "interrupted";
    case RunPhase::finished:
      return "finished";
    case RunPhase::refused:
      return "refused";
    case RunPhase::failed:
      return "failed";
    case RunPhase::lost:
      return "lost";
  }
  return "?";
}

RunPhase phase_of(const RunEvidence& evidence) {
  if (evidence.locked) return RunPhase::running;
  const auto& job = evidence.job;
  const bool may_be_elsewhere = evidence.had_owner && !evidence.released && evidence.owner_elsewhere && !evidence.end;
  if (may_be_elsewhere && (job ? job->is_active() : !evidence.submitted && evidence.silent_seconds < kSilentElsewhere)) {
    return RunPhase::running;
  }
  if (job && job->is_pending()) return RunPhase::waiting;
  if (job && job->is_active()) {
    const bool ended_in_this_job = evidence.end && (!job->starts || evidence.end_time >= *job->starts);
    if (!ended_in_this_job) return RunPhase::starting;
  }
  if (!evidence.end) {
    if (!evidence.had_owner) return evidence.submitted ? RunPhase::lost : RunPhase::not_started;
    return RunPhase::lost;
  }
  switch (*evidence.end) {
    case ExitStatus::done:
      return RunPhase::finished;
    case ExitStatus::interrupted:
      return RunPhase::interrupted;
    case ExitStatus::rank_lost:
      return RunPhase::lost;
    case ExitStatus::numerical:
    case ExitStatus::internal:
      return RunPhase::failed;
    default:
      return evidence.stepped ? RunPhase::failed : RunPhase::refused;
  }
}

}  // namespace duet
