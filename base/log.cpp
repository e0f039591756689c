#include "base/log.h"

#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "base/text.h"

namespace duet {
namespace {

std::string prefix = "duet: ";
std::string transient;
std::mutex mutex;
constexpr auto kClearLine = "\r\x1b[K";

// One write call, so that lines of several threads and ranks do not mix.
void write_whole(const std::string& text) { [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size()); }

}  // namespace

void set_log_rank(int rank, int ranks) { prefix = ranks > 1 ? fmt::format("duet [rank {}]: ", rank) : "duet: "; }

void log_line(const std::string& message) {
  const std::lock_guard lock(mutex);
  // Under a launcher the terminal's last line may be another rank's.
  static const bool shares_terminal = std::getenv("DUET_TERMINAL_COLUMNS") != nullptr;
  write_whole((transient.empty() && !shares_terminal ? "" : kClearLine) + prefix + printable_lines(message) + "\n" + transient);
}

void show_transient(const std::string& text) {
  const std::lock_guard lock(mutex);
  if (text == transient) return;
  transient = text;
  write_whole(kClearLine + transient);
}

}  // namespace duet
