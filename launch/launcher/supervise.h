#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "launch/launcher/launcher.h"

namespace duet {

struct SuperviseOptions {
  int ranks = 2;
  Launcher launcher = Launcher::local;
  std::filesystem::path run_folder;    ///< where the ranks leave their last words
  std::filesystem::path program;       ///< started on each rank …
  std::vector<std::string> arguments;  ///< … with these
  double grace_seconds = 120;          ///< for saving, after a stop signal
};

/// Starts `program` on `ranks` ranks, of this host or of a Slurm allocation's nodes, and stays until none of them runs any more. Returns
/// the exit status (base/error.h).
///
/// TERM, INT, HUP (unless it is ignored, as nohup does) and USR1, USR2 to this process become 'save and stop' on all ranks; a second INT,
/// or the end of the grace period, kills them. The status is that of the rank which left first with an error of its own, as its last words
/// (cluster/run/last_words.h) say; 75 when all saved and stopped; 76 with 'rank N was lost (signal 9)' when one left none. The cause is said on
/// standard error. When a rank is lost, the others have ended within 10 seconds; a step of Slurm's is cancelled. The run's folder must be
/// on a file system that all nodes share: last words travel through it. The ranks find DUET_SUPERVISED (a name of this supervision) in
/// their environment. Throws Unavailable when the launcher cannot be started.
int supervise(const SuperviseOptions& options);

}  // namespace duet
