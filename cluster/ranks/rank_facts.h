#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cluster/run/slurm_step.h"

namespace duet {

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
