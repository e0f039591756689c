#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace duet {

/// What a program wrote and how it ended.
struct CapturedEnd {
  int status = 0;  ///< exit status; minus the signal's number when one ended it
  bool timed_out = false;
  std::string out, error;
};

/// The program of this name in PATH; empty where there is none.
std::filesystem::path find_program(const std::string& name);
inline bool is_program(const std::string& name) { return !find_program(name).empty(); }

/// Runs a program of PATH to its end, without input, and kills it after so many seconds. Throws Unavailable when it cannot be started.
CapturedEnd run_captured(const std::vector<std::string>& command, double seconds);

}  // namespace duet
