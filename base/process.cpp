#include "base/process.h"

#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "base/error.h"

namespace duet {

std::filesystem::path own_program() {
  std::error_code unknown;
  auto program = std::filesystem::read_symlink(kRunningProgram, unknown);
  if (unknown)
    throw Unavailable("{}: cannot be read: {}. It tells where this program lies: mount /proc.", kRunningProgram, unknown.message());
  return program;
}

ProcessState process_state(std::int64_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  const auto name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return ProcessState::gone;
  switch (stat[name_end + 2]) {
    case 'T':
    case 't':
      return ProcessState::stopped;
    case 'Z':
      return ProcessState::zombie;
    case 'X':
      return ProcessState::gone;
    default:
      return ProcessState::at_work;
  }
}

}  // namespace duet
