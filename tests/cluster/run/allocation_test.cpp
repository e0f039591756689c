#include "cluster/run/allocation.h"

#include <gtest/gtest.h>

#include "tests/cluster/run/answer_with.h"

namespace duet {
namespace {

TEST(Allocation, TheShellOfSallocStandsForAllOfIt) {
  const auto inside_step = [] { return static_cast<int>(allocation()->inside_step); };
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}}, inside_step), 0);
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}, inside_step), 1);
  EXPECT_EQ(answer_with({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "4294967290"}, {"SLURM_STEP_NUM_TASKS", "1"}}, inside_step), 0);
}

}  // namespace
}  // namespace duet
