#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

namespace duet {

/// One line on standard error, written whole: "duet: message", of which a terminal obeys nothing (printable_lines()). Thread-safe. The rank
/// is put in front once set_log_rank() was called.
void log_line(const std::string& message);
void set_log_rank(int rank, int ranks);

/// Shows `text` as the last line of a terminal, to be replaced by the next call; log lines come above it. "" removes it. For progress on a
/// terminal only.
void show_transient(const std::string& text);

template <typename... Parts>
void say(fmt::format_string<Parts...> form, Parts&&... parts) {
  log_line(fmt::format(form, std::forward<Parts>(parts)...));
}

template <typename... Parts>
void warn(fmt::format_string<Parts...> form, Parts&&... parts) {
  log_line("warning: " + fmt::format(form, std::forward<Parts>(parts)...));
}

}  // namespace duet
