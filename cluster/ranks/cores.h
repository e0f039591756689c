#pragma once
#include "cluster/ranks/world.h"

namespace duet {

/// Binds this process, and the threads it starts from now on, to its share of the host's cores, so that ranks do not fight over them.
/// Returns the size of the share, at least 1. Collective over `world`; call it before compute and loader threads start. Changes nothing
/// when the launcher has bound the ranks apart already, or when there are more ranks than cores.
int bind_to_own_cores(World& world);

}  // namespace duet
