#pragma once
#include <chrono>
#include <string>

namespace duet {

/// Seconds since construction or the last restart(); monotonic.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Seconds since 1970, UTC.
double unix_seconds();

/// "2026-01-31T12:00:00Z"
std::string utc_now();

/// "3 h 12 min", "4 min 05 s", "12 s": for people.
std::string human_duration(double seconds);

}  // namespace duet
