#include "cluster/run/started.h"

#include <gtest/gtest.h>

#include "tests/cluster/run/answer_with.h"

namespace duet {
namespace {

TEST(Started, AStepOfOneTaskIsAPersonsAndStartsNoRanks) {
  const auto started = [] { return static_cast<int>(started_by_launcher()); };
  EXPECT_EQ(answer_with({}, started), 0);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}, started), 0);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}}, started), 1);
  EXPECT_EQ(answer_with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"SLURM_STEP_NUM_TASKS", "1"}}, started), 1) << "mpirun in such a step";
}

TEST(Started, TheFirstTaskIsTheOneThatSpeaksForAll) {
  const auto first = [] { return static_cast<int>(is_first_task()); };
  EXPECT_EQ(answer_with({}, first), 1) << "alone";
  EXPECT_EQ(answer_with({{"SLURM_PROCID", "0"}}, first), 1);
  EXPECT_EQ(answer_with({{"SLURM_PROCID", "3"}}, first), 0) << "srun without PMIx: a task that sees no other";
  EXPECT_EQ(answer_with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "0"}, {"SLURM_PROCID", "3"}}, first), 1)
      << "SLURM_PROCID is that of mpirun's daemon";
  EXPECT_EQ(answer_with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}}, first), 0);
}

TEST(Started, TheRankIsOpenMpisBeforeThatOfPmix) {
  const auto rank = [] { return launcher_rank(); };
  EXPECT_EQ(answer_with({}, rank), 0);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "5"}}, rank), 5);
  EXPECT_EQ(answer_with({{"PMIX_RANK", "5"}, {"OMPI_COMM_WORLD_RANK", "2"}}, rank), 2);
}

}  // namespace
}  // namespace duet
