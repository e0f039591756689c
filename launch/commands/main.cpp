#include <string>
#include <vector>

#include "launch/commands/commands.h"

int main(int count, char** values) {
  std::vector<std::string> arguments(values + 1, values + count);
  if (!arguments.empty() && arguments[0] == "--version") arguments[0] = "version";
  const auto commands = duet::all_commands();
  return duet::run_program(commands, arguments);
}
