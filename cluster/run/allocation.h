#pragma once
#include <optional>
#include <string>

namespace duet {

/// What Slurm says, in this process's environment, of the job it belongs to.
struct Allocation {
  std::string job;         ///< its id, no other job's
  std::string queue_name;  ///< by which the queue knows it: the id, or "34_2" for a task of an array
  int restarts = 0;        ///< how often Slurm has started it again
  int nodes = 1;
  int tasks = 1;             ///< as asked for at submission; one a node when nothing was said
  int cores_per_task = 0;    ///< 0: nothing was said
  bool inside_step = false;  ///< this process is a task of an srun, or what a task started; false in a batch script and in salloc's shell
};

/// Nothing outside of Slurm.
std::optional<Allocation> allocation();

}  // namespace duet
