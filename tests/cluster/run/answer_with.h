#pragma once
#include <stdlib.h>

#include <functional>
#include <map>
#include <string>

#include "tests/child_process.h"

namespace duet {

/// What `question` answers (0 … 255) in a process with these variables and none else of Slurm, PMIx or Open MPI.
inline int answer_with(const std::map<std::string, std::string>& variables, const std::function<int()>& question) {
  return status_of(start_child([&] {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE",
                             "OMPI_COMM_WORLD_RANK"})
      ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    return question();
  }));
}

}  // namespace duet
