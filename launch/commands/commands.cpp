#include "launch/commands/commands.h"

namespace duet {

std::vector<Command> all_commands() {
  return {import_command(), store_command(),  synth_command(),   train_command(), eval_command(),   sketch_command(),
          submit_command(), status_command(), inspect_command(), bench_command(), version_command()};
}

}  // namespace duet
