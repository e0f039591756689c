#pragma once
#include <optional>
#include <string>

namespace duet {

/// A job as Slurm's queue shows it.
struct QueuedJob {
  std::string id, state;         ///< "RUNNING", "PENDING", … as squeue writes them
  std::string reason;            ///< why it waits; empty: no reason
  std::string nodes;             ///< where it runs
  std::string time_left;         ///< of its limit
  std::optional<double> starts;  ///< seconds since 1970: when it began, or is expected to begin

  /// Waits to begin, for the first time or again.
  bool is_pending() const;
  /// Its script runs, or is about to or just was.
  bool is_active() const { return !is_pending(); }
};

/// What could be learnt of a job.
struct QueueAnswer {
  std::string trouble;           ///< why the queue could not be asked; empty: it could
  std::optional<QueuedJob> job;  ///< nothing: the job is not in the queue (any more)
};

/// Asks squeue, at most ten seconds.
QueueAnswer ask_queue(const std::string& job_id);

/// Whether Slurm knows a job: in the queue, or ended a few minutes ago. True where it cannot be asked. At most ten seconds.
bool is_known_job(const std::string& job_id);

/// One line of what ask_queue() has squeue print; nothing when it is of another form.
std::optional<QueuedJob> parse_queue_line(const std::string& line);

}  // namespace duet
