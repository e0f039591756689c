#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

namespace duet {

/// One line on standard error, written whole: "duet: message". Thread-safe. The rank is put in front once set_log_rank() was called.
void log_line(const std::string& message);
void set_log_rank(int rank, int ranks);

template <typename... Parts>
void say(fmt::format_string<Parts...> form, Parts&&... parts) {
  log_line(fmt::format(form, std::forward<Parts>(parts)...));
}

template <typename... Parts>
void warn(fmt::format_string<Parts...> form, Parts&&... parts) {
  log_line("warning: " + fmt::format(form, std::forward<Parts>(parts)...));
}

}  // namespace duet
