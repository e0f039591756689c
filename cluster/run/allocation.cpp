#include "cluster/run/allocation.h"

#include <algorithm>

#include "base/environment.h"
#include "cluster/run/started.h"

namespace duet {

std::optional<Allocation> allocation() {
  Allocation found;
  found.job = environment("SLURM_JOB_ID");
  if (found.job.empty()) return std::nullopt;
  const auto array = environment("SLURM_ARRAY_JOB_ID");
  found.queue_name = array.empty() ? found.job : array + "_" + environment("SLURM_ARRAY_TASK_ID");
  found.restarts = environment_number("SLURM_RESTART_COUNT", 0);
  found.nodes = std::max(1, environment_number("SLURM_JOB_NUM_NODES", 1));
  found.tasks = std::max(1, environment_number("SLURM_NTASKS", found.nodes));
  found.cores_per_task = environment_number("SLURM_CPUS_PER_TASK", 0);
  // The shell of salloc is a step too where LaunchParameters=use_interactive_step, but stands for the whole allocation.
  constexpr const char* kInteractiveStep = "4294967290";
  found.inside_step = !tasks_of_step().empty() && environment("SLURM_STEP_ID") != kInteractiveStep;
  return found;
}

}  // namespace duet
