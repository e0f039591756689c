#pragma once
#include <string>

namespace duet {

// How this process was started, as its environment tells it before World (cluster/ranks/world.h) exists. What Slurm says of the job is in
// allocation.h, of its steps in slurm_step.h.

/// True when mpirun started this process, or srun as one of several ranks.
bool started_by_launcher();

/// This process's rank as the launcher gave it; 0 without one.
int launcher_rank();

/// Of all processes that a launcher started, whether or not they see each other: the one that says what concerns all.
bool is_first_task();

/// How many tasks srun started this process with, as it says itself; empty outside of its steps.
std::string tasks_of_step();

/// The supervisor (launch/launcher/supervise.h) that had this process started, by the name that it gave itself; empty when none did.
std::string own_supervisor();

/// What that supervisor had started: how many ranks, by which program. Empty without one.
struct StartedRanks {
  std::string count, launcher;
};
StartedRanks started_ranks();

}  // namespace duet
