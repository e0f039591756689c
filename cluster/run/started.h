#pragma once

namespace duet {

/// True when mpirun started this process, or srun as one of several ranks; known before World (cluster/ranks/world.h) exists.
bool started_by_launcher();

/// This process's rank as the launcher gave it; 0 without one.
int launcher_rank();

}  // namespace duet
