#pragma once
#include <filesystem>
#include <span>

#include "base/json.h"

namespace duet {

/// Merges the files that a run's ranks wrote (Trace) into one trace file: a process for each rank, all on rank 0's clock, in the order
/// in which spans ended. Memory does not grow with the traces but for some bytes a step. An unfinished last line is what a killed rank
/// leaves; other damaged lines (also such as have a number where text belongs) are left out, counted, with a warning, and so are the files
/// of an older trace of this run. An absurd number of ranks counts as damaged too.
///
/// Returns what the traces say: {"run", "out", "events", "damaged_lines", "missing_ranks", "ranks": [{"rank", "host", "seconds", "compute",
/// "communication", "data_wait", "checkpoint", "evaluation", "control", "other", "gradients_in_flight", "gradients_exposed",
/// "clock_offset", "clock_uncertainty", "clock_drift", "left_out"}…], "steps", "slowest_steps": [{"step", "stage", "phase", "seconds",
/// "rank", "communication", "data_wait"}…], "waited_for": {"rank", "seconds", "steps"} or null}. Seconds throughout; from compute to other
/// they are the main thread's, each moment counted once, for the innermost span. "waited_for" is the rank that the others waited for: in
/// each step, the one that spent the least time in communication.
///
/// Throws InputMissing when the run left no trace, DataError for a file that is none, CannotCreate and CannotWrite.
Json merge_traces(const std::filesystem::path& run_folder, std::span<const std::filesystem::path> files, const std::filesystem::path& out);

}  // namespace duet
