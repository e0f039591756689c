#include "base/log.h"

#include <unistd.h>

namespace duet {
namespace {
std::string prefix = "duet: ";
}

void set_log_rank(int rank, int ranks) { prefix = ranks > 1 ? fmt::format("duet [rank {}]: ", rank) : "duet: "; }

void log_line(const std::string& message) {
  const auto line = prefix + message + "\n";
  // One write call, so that lines of several threads and ranks do not mix.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace duet
