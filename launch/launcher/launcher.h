#pragma once
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cluster/run/allocation.h"

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

/// Takes mpirun's own messages, which stand between two rules of dashes or behind "[host:process]", out of what it passes on of its ranks.
/// What follows a rule is held back until the second one shows whose it is.
class LauncherWords {
 public:
  /// The next part of its output; returns what is to be shown at once, unchanged.
  std::string take(std::string_view part);
  /// What was held back, to be shown after all: nothing more comes, or not for a while.
  std::string release();
  /// The messages so far.
  const std::string& text() const { return text_; }
  /// The rank which, as they say, ended first or was killed.
  std::optional<int> first_rank_to_end() const;

 private:
  std::string text_, line_;
  std::string held_;  ///< from a rule on, which is part of it unless it was shown behind a progress line
  std::string said_;  ///< the same without the rule
  static constexpr std::size_t kRule = 20;
  static constexpr std::size_t kLongestMessage = 8192;
  std::size_t dashes_ = 0;  ///< at the end of what came last
  bool inside_ = false;     ///< between two rules
  bool passing_ = false;    ///< the rest of this line is shown as it comes
};

/// Ranks that run under a launcher. One object at a time a process.
class LaunchedRanks {
 public:
  /// Starts `command` on `ranks` ranks; they find `environment` beside this process's own, on every host. Their threads are as many as the
  /// allocation has cores a task, or this host a rank, unless OMP_NUM_THREADS is set. Throws Unavailable when the launcher cannot be
  /// executed, or this host lacks the shared memory that they need.
  LaunchedRanks(Launcher launcher, const std::vector<std::string>& command, int ranks, std::map<std::string, std::string> environment);
  ~LaunchedRanks();
  LaunchedRanks(const LaunchedRanks&) = delete;
  LaunchedRanks& operator=(const LaunchedRanks&) = delete;

  /// Whether the launcher has ended. From then on status() is what waitpid() said of it.
  bool ended();
  int status() const { return status_; }

  /// Shows on standard error what the ranks say there, and keeps the launcher's own words; waits for some at most so long, or for a signal.
  /// Returns whether there were some.
  bool pass_output_on(double seconds);
  /// The same with all that is there; no more is expected.
  void pass_rest_on();
  const LauncherWords& words() const { return words_; }
  /// The file that was executed.
  std::string launcher_path() const;

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
  LauncherWords words_;
  Stopwatch quiet_;  ///< since they said something
  int output_ = -1;  ///< reads what launcher and ranks write to standard error
  pid_t process_ = -1;
  int status_ = 0;
  bool ended_ = false;
  bool over_ = false;  ///< nothing is left to be ended
};

}  // namespace duet
