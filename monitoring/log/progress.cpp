#include "monitoring/log/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/environment.h"
#include "base/log.h"
#include "base/time.h"

namespace duet {
namespace {

constexpr double kRateSeconds = 30;  // memory of the rate: long enough to bridge an evaluation, short enough to follow a change

std::string rate_text(double rate, const std::string& unit) {
  const auto digits = rate >= 100 ? 0 : rate >= 1 ? 1 : 2;
  return fmt::format("{:.{}f} {}/s", rate, digits, unit);
}

}  // namespace

std::optional<int> terminal_columns() {
  winsize size{};
  if (::isatty(STDERR_FILENO) == 1) return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  const int columns = environment_number("DUET_TERMINAL_COLUMNS", 0);
  return columns > 0 ? std::optional(columns) : std::nullopt;
}

ProgressSink ProgressSink::standard_error() {
  return {.terminal = terminal_columns().has_value(),
          .width = [] { return terminal_columns().value_or(80); },
          .now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); },
          .transient = show_transient,
          .line = log_line};
}

Progress::Progress(std::string what, std::string unit, std::int64_t total, std::int64_t done, ProgressSink sink)
    : what_(std::move(what)), unit_(std::move(unit)), total_(total), first_(done), done_(done), sink_(std::move(sink)) {
  start_ = shown_ = measured_ = sink_.now();
}

Progress::~Progress() {
  if (sink_.terminal && !finished_) sink_.transient("");
}

void Progress::update(std::int64_t done, const std::string& details) {
  const double now = sink_.now();
  // Sums of units and seconds, both fading alike: the plain average at first, the last half minute later on.
  const double keep = std::exp((measured_ - now) / kRateSeconds);
  recent_units_ = recent_units_ * keep + static_cast<double>(done - done_);
  recent_seconds_ = recent_seconds_ * keep + (now - measured_);
  rate_ = recent_seconds_ > 0 ? recent_units_ / recent_seconds_ : 0;
  measured_ = now;
  done_ = done;
  if (finished_ || now - shown_ < (sink_.terminal ? sink_.terminal_seconds : sink_.plain_seconds)) return;
  shown_ = now;
  if (sink_.terminal) {
    // The last column stays empty: some terminals move to the next line once it is filled.
    sink_.transient(cut_to_columns(text(details), sink_.width() - 1));
  } else {
    sink_.line(text(details));
  }
}

void Progress::finish(const std::string& details) {
  if (std::exchange(finished_, true)) return;
  if (sink_.terminal) sink_.transient("");
  auto line = fmt::format("{}: {} {} in {}", what_, done_ - first_, unit_, human_duration(sink_.now() - start_));
  if (!details.empty()) line += " · " + details;
  sink_.line(line);
}

double Progress::seconds_left() const { return rate_ > 0 && total_ > done_ ? static_cast<double>(total_ - done_) / rate_ : 0; }

std::string Progress::text(const std::string& details) const {
  auto line = total_ > 0 ? fmt::format("{} {}/{}", what_, done_, total_) : fmt::format("{} {} {}", what_, done_, unit_);
  if (!details.empty()) line += " · " + details;
  if (rate_ <= 0) return line;
  line += " · " + rate_text(rate_, unit_);
  if (total_ > done_) line += fmt::format(" · {} left", human_duration(seconds_left()));
  return line;
}

std::string cut_to_columns(const std::string& text, int columns) {
  const auto starts_character = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; };
  int seen = 0;
  std::size_t last_fitting = 0;  // where the character in the last allowed column begins: there goes the "…"
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!starts_character(text[i])) continue;
    if (++seen == columns) last_fitting = i;
    if (seen > columns) return columns <= 0 ? "" : text.substr(0, last_fitting) + "…";
  }
  return text;
}

}  // namespace duet
