#include "launch/commands/commands.h"

namespace duet {

std::vector<Command> all_commands() { return {inspect_command(), version_command()}; }

}  // namespace duet
