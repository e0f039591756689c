#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace duet {

struct SuperviseOptions {
  int ranks = 2;
  std::filesystem::path run_folder;    ///< where the ranks leave their last words
  std::filesystem::path program;       ///< started on each rank …
  std::vector<std::string> arguments;  ///< … with these
  double grace_seconds = 120;          ///< for saving, after a stop signal
};

/// Starts `program` on `ranks` ranks of this host through mpirun and stays until none of them runs any more. Returns the exit status
/// (base/error.h).
///
/// TERM, INT and USR1, USR2 to this process become 'save and stop' on all ranks; a second INT, or the end of the grace period, kills them.
/// The status is that of the rank which left first with an error of its own, as its last words (cluster/last_words.h) say; 75 when all
/// saved and stopped; 76 with 'rank N was lost (signal 9)' when one left none. The cause is said on standard error. When a rank is lost,
/// the others have ended within 10 seconds. The ranks find DUET_SUPERVISED (this process's id) and OMP_NUM_THREADS (cores of this host /
/// ranks, unless set) in their environment. Throws Unavailable when mpirun cannot be started.
int supervise(const SuperviseOptions& options);

}  // namespace duet
