#include <signal.h>

#include <string>
#include <vector>

#include "launch/commands/commands.h"

int main(int count, char** values) {
  std::vector<std::string> arguments(values + 1, values + count);
  if (!arguments.empty() && arguments[0] == "--version") arguments[0] = "version";
  // A file that grows beyond the user's limit is an error that names it, as on a full disk, not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  const auto commands = duet::all_commands();
  return duet::run_program(commands, arguments);
}
