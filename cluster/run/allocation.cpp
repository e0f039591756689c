#include "cluster/run/allocation.h"

#include <algorithm>
#include <cstdlib>

namespace duet {
namespace {

std::string text_of(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int number_of(const char* name, int otherwise) {
  const auto text = text_of(name);
  return text.empty() ? otherwise : std::atoi(text.c_str());
}

}  // namespace

std::optional<Allocation> allocation() {
  Allocation found;
  found.job = text_of("SLURM_JOB_ID");
  if (found.job.empty()) return std::nullopt;
  const auto array = text_of("SLURM_ARRAY_JOB_ID");
  found.queue_name = array.empty() ? found.job : array + "_" + text_of("SLURM_ARRAY_TASK_ID");
  found.restarts = number_of("SLURM_RESTART_COUNT", 0);
  found.nodes = std::max(1, number_of("SLURM_JOB_NUM_NODES", 1));
  found.tasks = std::max(1, number_of("SLURM_NTASKS", found.nodes));
  found.cores_per_task = number_of("SLURM_CPUS_PER_TASK", 0);
  // The shell of salloc is a step too where LaunchParameters=use_interactive_step, but stands for the whole allocation.
  constexpr const char* kInteractiveStep = "4294967290";
  found.inside_step = !text_of("SLURM_STEP_NUM_TASKS").empty() && text_of("SLURM_STEP_ID") != kInteractiveStep;
  return found;
}

}  // namespace duet
