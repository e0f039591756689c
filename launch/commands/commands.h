#pragma once
#include <vector>

#include "launch/cli/command.h"

namespace duet {

// Each in a file of its own name in this folder.
Command import_command();
Command store_command();
Command synth_command();
Command train_command();
Command eval_command();
Command sketch_command();
Command submit_command();
Command status_command();
Command inspect_command();
Command bench_command();
Command version_command();

// Parts of commands that have files of their own.
int inspect_trace(std::span<const std::string> args);
int store_assemble(std::span<const std::string> args);

/// All commands, in the order of `duet --help`.
std::vector<Command> all_commands();

}  // namespace duet
