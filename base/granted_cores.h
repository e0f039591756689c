#pragma once
#include <filesystem>
#include <optional>
#include <vector>

namespace duet {

/// Cores that this process's affinity lets it run on; empty when it cannot be asked.
std::vector<int> allowed_cores();

/// How many cores' time the quota of a control group and those around it grants, rounded down, at least 1; nothing without one.
/// `group` is a folder of the hierarchy below `root`, of either version of control groups.
std::optional<int> cores_of_quota(const std::filesystem::path& root, std::filesystem::path group);

/// The same of this process's own group. Asked once: a run's number of threads must not change while it runs.
std::optional<int> own_quota();

/// Cores that this process may use: those of its affinity, or as many as the CPU quota of its container or job grants, whichever is less.
int available_cores();

}  // namespace duet
