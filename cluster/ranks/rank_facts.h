#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

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
std::optional<SlurmStep> slurm_step(const Environment& environment);

/// The numbers of a list as Slurm abbreviates it: "2(x2),1" is 2, 2, 1. Throws UsageError naming `variable`.
std::vector<int> expand_slurm_list(const std::string& text, const std::string& variable);

/// What must be the same on all ranks.
struct Alike {
  enum class Kind { program, option, store };
  Kind kind = Kind::option;
  std::string name, value;

  bool operator==(const Alike&) const = default;
};

/// One rank's view of where it runs, as far as it must fit the others'.
struct RankFacts {
  int rank = 0, size = 1, local_size = 1;
  std::string host;
  std::optional<SlurmStep> step = {};
  bool uses_gpu = false;
  bool may_share_gpu = false;  ///< gradients go through MPI
  std::string gpu = {};        ///< UUID of the selected one
  std::string gpu_error = {};  ///< why there is none
  std::vector<Alike> alike = {};
};
Json to_json(const RankFacts& facts);
RankFacts rank_facts_from_json(const Json& json);

/// The ranks cannot train as they were started. The message is a table with both sides of every mismatch, and what to do; all ranks have
/// the same one, so one of them says it.
class RanksDiffer : public Error {
 public:
  using Error::Error;
};

/// Compares the facts of all ranks, in the order of ranks: tasks with MPI's ranks, GPUs with the ranks that use one each, what must be
/// alike. Throws RanksDiffer: status usage; or unavailable when all that is wrong is that ranks find no GPU (the message is
/// their own reason when none finds one).
void require_fitting_ranks(std::span<const RankFacts> ranks);

/// What is allowed but hardly meant, for a warning; empty: nothing.
std::string remark_on(std::span<const RankFacts> ranks);

}  // namespace duet
