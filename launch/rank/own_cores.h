#pragma once
#include "cluster/ranks/world.h"

namespace duet {

/// Binds this rank to its share of the host's cores (cluster/ranks/cores.h) and lets LibTorch compute with `threads` threads; 0: as many as
/// OMP_NUM_THREADS says, else one for each core of the share. Throws Unavailable where a limit on processes does not grant so many.
/// Collective; call it before the first computation.
void use_own_cores(World& world, int threads);

}  // namespace duet
