#pragma once
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/system/child.h"
#include "tests/system/tiny_run.h"

namespace duet {

struct VirtualClusterOptions {
  int nodes = 2;
  int cores = 2;                     ///< of each node
  bool hosts = false;                ///< each node in a network namespace of its own, so that it can be cut off
  double node_timeout_seconds = 30;  ///< until a silent node counts as down
};

/// A Slurm cluster of real daemons on this host (cluster.sh), up while the object lives. Several may be up at once. Destruction cancels all
/// jobs and leaves no process; so does the end of this process, however it comes. Throws std::runtime_error when it does not come up.
class VirtualCluster {
 public:
  explicit VirtualCluster(const VirtualClusterOptions& options = {});
  ~VirtualCluster();
  VirtualCluster(const VirtualCluster&) = delete;
  VirtualCluster& operator=(const VirtualCluster&) = delete;

  /// Names of the nodes, in order. With hosts, commands run on the first.
  const std::vector<std::string>& nodes() const { return nodes_; }

  /// The command as a user of the cluster gives it: for Child and run(). What it submits outlives the Child.
  Words inside(const Words& command) const;
  /// Runs it to its end.
  Outcome call(const Words& command, const ChildOptions& options = {}) const;

  /// `sbatch` with these arguments. The job's id; a refusal fails the test and gives 0.
  int submit(const Words& arguments, const ChildOptions& options = {}) const;
  /// A field of `scontrol show job`: "JobState", "NodeList", "ExitCode" …; empty when job or field are unknown.
  std::string field(int job, const std::string& name) const;
  std::string state(int job) const { return field(job, "JobState"); }
  /// Waits until the job's state is one of these. The state it has then, or after that time.
  std::string wait_for_state(int job, const std::vector<std::string>& states, double seconds = 120) const;
  /// Waits until a job that was never requeued before is, and lets it start now if Slurm holds it back (for two minutes, as a rule).
  void release_requeued(int job, double seconds = 120) const;
  void cancel(int job) const;

  /// Processes of jobs (steps' daemons and all that they started) on one node, or on all.
  std::vector<pid_t> processes(const std::string& node = "") const;

  void kill_node(const std::string& node) const;   ///< slurmd and all processes of the node die at once
  void start_node(const std::string& node) const;  ///< a killed node's slurmd comes back
  void cut_off(const std::string& node) const;     ///< with hosts: nothing comes through to the node or from it
  void connect(const std::string& node) const;     ///< with hosts: undoes it

 private:
  Outcome script(const Words& arguments) const;
  void expect_done(const Words& arguments) const;

  TemporaryFolder place_;
  bool hosts_;
  std::vector<std::string> nodes_;
};

}  // namespace duet
