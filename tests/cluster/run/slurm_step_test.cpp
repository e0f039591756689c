#include "cluster/run/slurm_step.h"

#include <gmock/gmock.h>

#include <map>

#include "base/error.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Environment of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

// As srun --mpi=pmix sets them for four tasks on two nodes.
std::map<std::string, std::string> srun_variables() {
  return {{"SLURM_STEP_ID", "0"},
          {"PMIX_NAMESPACE", "slurm.pmix.12.0"},
          {"SLURM_STEP_NUM_TASKS", "3"},
          {"SLURM_NTASKS", "8"},
          {"SLURM_PROCID", "2"},
          {"SLURM_STEP_TASKS_PER_NODE", "2,1"},
          {"SLURM_TASKS_PER_NODE", "4(x2)"},
          {"SLURM_NODEID", "1"},
          {"SLURMD_NODENAME", "n2"},
          {"SLURM_GPUS_ON_NODE", "2"}};
}

TEST(SlurmList, IsWrittenOut) {
  EXPECT_THAT(expand_slurm_list("2(x2),1", "V"), ElementsAre(2, 2, 1));
  EXPECT_THAT(expand_slurm_list("8", "V"), ElementsAre(8));
  EXPECT_THAT(expand_slurm_list("1,3(x1),16(x2)", "V"), ElementsAre(1, 3, 16, 16));
  for (const char* damaged : {"", "2(x2", "x", "2(x),1", "2,,1", "-1", "2(x99999999)"}) {
    EXPECT_THROW(expand_slurm_list(damaged, "V"), UsageError) << damaged;
  }
}

TEST(SlurmStep, IsReadFromTheStepBeforeTheJob) {
  const auto step = slurm_step(of(srun_variables()));
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->starts_ranks);
  EXPECT_EQ(step->tasks, 3) << "SLURM_NTASKS is the job's";
  EXPECT_EQ(step->task, 2);
  EXPECT_EQ(step->tasks_on_node, 1) << "of the second node, by the step's list";
  EXPECT_EQ(step->gpus_on_node, 2);
  EXPECT_EQ(step->node, "n2");
}

TEST(SlurmStep, OfMpirunsDaemonsSaysNothingOfTheRanks) {
  auto variables = srun_variables();
  variables["OMPI_COMM_WORLD_SIZE"] = "8";
  EXPECT_FALSE(slurm_step(of(variables))->starts_ranks);
  EXPECT_FALSE(slurm_step(of({{"SLURM_JOB_ID", "12"}, {"SLURM_NTASKS", "4"}}))) << "a batch script is no step";
}

TEST(SlurmStep, NamesAVariableThatIsNoNumber) {
  auto variables = srun_variables();
  variables["SLURM_STEP_NUM_TASKS"] = "many";
  EXPECT_THROW(
      {
        try {
          slurm_step(of(variables));
        } catch (const UsageError& error) {
          EXPECT_THAT(error.what(), HasSubstr("SLURM_STEP_NUM_TASKS: 'many'"));
          throw;
        }
      },
      UsageError);
}

}  // namespace
}  // namespace duet
