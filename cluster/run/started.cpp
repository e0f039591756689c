#include "cluster/run/started.h"

#include <cstdlib>
#include <string>

namespace duet {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

bool started_by_launcher() {
  if (!environment("OMPI_COMM_WORLD_SIZE").empty()) return true;
  // A step of one task has nobody to talk to: it may be a person's shell (srun --pty), in which PMIx is set where it is the site's default.
  return !environment("PMIX_RANK").empty() && environment("SLURM_STEP_NUM_TASKS") != "1";
}

int launcher_rank() {
  auto rank = environment("OMPI_COMM_WORLD_RANK");
  if (rank.empty()) rank = environment("PMIX_RANK");
  return std::atoi(rank.c_str());
}

}  // namespace duet
