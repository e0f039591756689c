#pragma once
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/allocation.h"

namespace duet {

/// What starts the ranks.
enum class Launcher {
  local,   ///< mpirun on this host alone
  mpirun,  ///< mpirun over all hosts that Open MPI is told of: an allocation's nodes, a host file of its own settings
  srun,    ///< a step of the Slurm allocation, with PMIx
};

/// "auto", "local", "mpirun" or "srun". `auto`: srun in a batch script whose allocation has several tasks or nodes, else local. Throws
/// UsageError for another name, and for srun outside of an allocation.
Launcher launcher_named(const std::string& name, const std::optional<Allocation>& allocation);

/// Ranks that run under a launcher. One object at a time a process.
class LaunchedRanks {
 public:
  /// Starts `command` on `ranks` ranks; they find `environment` beside this process's own, on every host. Their threads are as many as the
  /// allocation has cores a task, or this host a rank, unless OMP_NUM_THREADS is set. Throws Unavailable when the launcher cannot be
  /// executed.
  LaunchedRanks(Launcher launcher, const std::vector<std::string>& command, int ranks, std::map<std::string, std::string> environment);
  ~LaunchedRanks();
  LaunchedRanks(const LaunchedRanks&) = delete;
  LaunchedRanks& operator=(const LaunchedRanks&) = delete;

  /// Whether the launcher has ended. From then on status() is what waitpid() said of it.
  bool ended();
  int status() const { return status_; }

  /// USR1 to all ranks: save and stop. May be repeated: a rank that is only starting misses it.
  void ask_to_save() const;
  /// TERM: the launcher ends its ranks.
  void ask_to_end() const;
  /// Kills whatever is left of the ranks and of what they started, on all nodes.
  void end_now();

 private:
  void cancel_steps() const;

  struct Scratch;
  Launcher launcher_;
  std::unique_ptr<Scratch> scratch_;
  std::optional<Allocation> allocation_;
  std::string step_name_;  ///< by which the allocation's steps that are ours are known
  pid_t process_ = -1;
  int status_ = 0;
  bool ended_ = false;
  bool over_ = false;  ///< nothing is left to be ended
};

}  // namespace duet
