#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "launch/commands/commands.h"

int main(int count, char** values) {
  // A closed standard stream's number would go to the first file that is opened, and messages into that file.
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return 71;
  }
  std::vector<std::string> arguments(values + 1, values + count);
  if (!arguments.empty() && arguments[0] == "--version") arguments[0] = "version";
  // A file that grows beyond the user's limit is an error that names it, as on a full disk, not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  // Whoever reads the messages may go away; the work goes on.
  ::signal(SIGPIPE, SIG_IGN);
  const auto commands = duet::all_commands();
  return duet::run_program(commands, arguments);
}
