#pragma once
#include <filesystem>
#include <optional>

#include "cluster/world.h"

namespace duet {

/// Cores that this process may use: those of its affinity, or as many as the CPU quota of its container or job grants, whichever is less.
int available_cores();

/// How many cores' time the quota of a control group and those around it grants, rounded down, at least 1; nothing without one.
/// `group` is a folder of the hierarchy below `root`, of either version of control groups.
std::optional<int> cores_of_quota(const std::filesystem::path& root, std::filesystem::path group);

/// Binds this process, and the threads it starts from now on, to its share of the host's cores, so that ranks do not fight over them.
/// Returns the size of the share, at least 1. Collective over `world`; call it before compute and loader threads start. Changes nothing
/// when the launcher has bound the ranks apart already, or when there are more ranks than cores.
int bind_to_own_cores(World& world);

}  // namespace duet
