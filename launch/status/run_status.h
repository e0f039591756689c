#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "launch/status/run_phase.h"

namespace duet {

/// Everything that `duet status` says of one run.
struct RunStatus {
  std::filesystem::path folder;
  RunPhase phase = RunPhase::not_started;
  bool began = false;            ///< a training had the folder
  double seconds_in_phase = -1;  ///< since it began to run, or ended; -1: not known

  std::string stage;                             ///< of the last logged step; empty: none yet
  std::int64_t step = 0, stage_steps = 0;        ///< in the stage; 0 planned: not known
  std::int64_t total_step = 0, total_steps = 0;  ///< of the run
  double steps_per_second = 0;                   ///< 0: not known
  double seconds_left = -1;                      ///< at that rate; -1: not known
  Json last = Json::object();                    ///< the last line about a step
  double last_step_seconds_ago = -1;             ///< -1: not known, as where a clock was ahead

  std::string checkpoint;              ///< folder's name; empty: none yet
  double checkpoint_seconds_ago = -1;  ///< -1: not known
  std::int64_t checkpoint_bytes = 0;
  std::int64_t pool_generation = 0;  ///< of the pool, adopted by the newest checkpoint; 0: none
  Json best = Json();                ///< {"weights", "total_step", "acc@1"} on the validation split; null: not measured yet

  std::int64_t restarts = 0;
  int ranks = 0;
  std::vector<std::string> hosts;
  std::string job_id;
  std::optional<QueuedJob> job;
  std::string queue_trouble;  ///< why the queue could not be asked about the job

  std::string log, endpoint, report;  ///< where they are; empty: nowhere
  struct Words {
    int rank;
    ExitStatus status;
    std::string message;
  };
  std::vector<Words> last_words;  ///< of ranks that ended with an error of their own
  std::vector<int> silent_ranks;  ///< that ended without a word, where others left some
};

/// Reads a run's folder, in bounded time however long its logs are, and asks the job queue. Changes nothing, and does not disturb the run.
/// Throws InputMissing when there is no such folder or it is no run's, DataError when a file of it is damaged.
RunStatus read_run_status(const std::filesystem::path& folder);

}  // namespace duet
