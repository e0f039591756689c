#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "cluster/communicate/communicator.h"

namespace duet {

struct WorldOptions {
  double timeout_seconds = 600;  ///< a collective that takes longer counts as a lost rank
};

/// All ranks of this run. One object a process, made and destroyed by the main thread; it initialises MPI (every thread may communicate)
/// and finalises it. Without mpirun or srun it is a world of one that does not touch MPI at all.
class World {
 public:
  /// Collective. Throws UsageError when the process was started by a launcher that this program's MPI does not understand
  /// (srun without --mpi=pmix: every rank would believe to be alone), Unavailable when there are not as many ranks as the supervisor says
  /// it started (DUET_STARTED_RANKS, by DUET_STARTED_BY), or no room for the memory they share.
  explicit World(const WorldOptions& options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const;
  int size() const;
  /// Among the ranks of this host.
  int local_rank() const;
  int local_size() const;
  const std::string& host() const;

  // Each is an MPI communicator of its own: when a rank hangs, its last operation says in which of these.
  Communicator& control();     ///< directives, evaluation, agreement on errors
  Communicator& gradients();   ///< buckets of the reducers
  Communicator& statistics();  ///< batch normalisation, the sums behind a step's figures
  Communicator& data();        ///< gathered embeddings, photo ids and certainties of a batch

  /// Leaves with `error`'s status, telling the other ranks first: they get TERM from the launcher. Write last words before (last_words.h).
  /// Destructors do not run.
  [[noreturn]] void abort(const Error& error);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Room for the memory that a rank shares with those of its host, Open MPI's and ours.
constexpr std::uint64_t kSharedBytesOfRank = std::uint64_t{6} << 20;

}  // namespace duet
