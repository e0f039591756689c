#include "cluster/run/allocation.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>

#include "cluster/run/started.h"
#include "tests/child_process.h"

namespace duet {
namespace {

/// What `question` answers (0 … 255) in a process with these variables and none else of Slurm, PMIx or Open MPI.
int answer_with(const std::map<std::string, std::string>& variables, const std::function<int()>& question) {
  return status_of(start_child([&] {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE"})
      ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    return question();
  }));
}

TEST(Allocation, TheShellOfSallocStandsForAllOfIt) {
  const auto inside_step = [] { return static_cast<int>(allocation()->inside_step); };
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}}, inside_step), 0);
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}, inside_step), 1);
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "4294967290"}, {"SLURM_STEP_NUM_TASKS", "1"}}, inside_step), 0);
}

TEST(Allocation, AStepOfOneTaskIsAPersonsAndStartsNoRanks) {
  const auto started = [] { return static_cast<int>(started_by_launcher()); };
  EXPECT_EQ(answer_with({}, started), 0);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}, started), 0);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}}, started), 1);
  EXPECT_EQ(answer_with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"SLURM_STEP_NUM_TASKS", "1"}}, started), 1) << "mpirun in such a step";
}

}  // namespace
}  // namespace duet
