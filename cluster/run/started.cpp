#include "cluster/run/started.h"

#include "base/environment.h"

namespace duet {

bool started_by_launcher() {
  if (!environment("OMPI_COMM_WORLD_SIZE").empty()) return true;
  // A step of one task has nobody to talk to: it may be a person's shell (srun --pty), in which PMIx is set where it is the site's default.
  return !environment("PMIX_RANK").empty() && tasks_of_step() != "1";
}

int launcher_rank() { return environment_number("OMPI_COMM_WORLD_RANK", environment_number("PMIX_RANK", 0)); }

bool is_first_task() { return launcher_rank() == 0 && (started_by_launcher() || environment_number("SLURM_PROCID", 0) == 0); }

std::string tasks_of_step() { return environment("SLURM_STEP_NUM_TASKS"); }

std::string own_supervisor() { return environment("DUET_SUPERVISED"); }

StartedRanks started_ranks() { return {environment("DUET_STARTED_RANKS"), environment("DUET_STARTED_BY")}; }

}  // namespace duet
