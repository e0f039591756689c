#pragma once
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace duet {

/// What Slurm says of the job step that a process belongs to.
struct SlurmStep {
  bool starts_ranks = false;  ///< srun started the ranks themselves (--mpi=pmix); false: mpirun did, and the counts are its daemons'
  int tasks = 0;              ///< of the step; 0: not said
  int task = 0;
  int tasks_on_node = 0;  ///< 0: not said
  int gpus_on_node = 0;   ///< that the step may use here; 0: none, or this cluster does not count them
  std::string node;
};

/// Variable to value; nullptr: not set.
using Environment = std::function<const char*(const char* name)>;

/// Nothing outside a job step. Variables of the step come before those of the job, which say what was asked for, not what srun started.
/// Throws UsageError naming a variable whose text is no number where one belongs.
std::optional<SlurmStep> slurm_step(const Environment& environment = ::getenv);

/// The numbers of a list as Slurm abbreviates it: "2(x2),1" is 2, 2, 1. Throws UsageError naming `variable`.
std::vector<int> expand_slurm_list(const std::string& text, const std::string& variable);

}  // namespace duet
