#pragma once
#include <string>

#include "launch/options/options.h"

namespace duet {

/// One rank of a training, from joining the others to leaving: lock, environment.json, device, Trainer, report. Returns the exit status.
/// Errors are written as last words and end all ranks.
int train_rank(const ResolvedConfig& config);

/// Where the ranks of a plan are to run; on this host it is tried whether their endpoints can listen.
enum class PlannedFor { this_host, cluster };

/// What `duet train --dry-run` prints: stores, networks, steps, epochs, memory and disk, after checking all that can be checked without
/// training. `ranks`: how many the plan is for.
std::string training_plan(const ResolvedConfig& config, int ranks, PlannedFor place);

/// Throws UsageError naming the batches that `ranks` ranks cannot share equally, with the numbers.
void check_batches(const TrainingConfig& config, int ranks);

}  // namespace duet
