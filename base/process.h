#pragma once
#include <cstdint>
#include <filesystem>

namespace duet {

/// The file that this process runs, to start it anew or to find what lies beside it. Throws Unavailable where /proc is not mounted.
std::filesystem::path own_program();

/// What of this process's program can be read, even when its file was replaced since it began.
inline constexpr const char* kRunningProgram = "/proc/self/exe";

/// Of a process of this host.
enum class ProcessState {
  at_work,
  stopped,  ///< by a debugger or SIGSTOP
  zombie,   ///< ended, not waited for
  gone,
};
ProcessState process_state(std::int64_t process);

}  // namespace duet
