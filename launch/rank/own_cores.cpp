#include "launch/rank/own_cores.h"

#include <algorithm>
#include <cstdlib>

#include "base/torch.h"
#include "cluster/ranks/cores.h"
#include "cluster/run/allocation.h"

namespace duet {

void use_own_cores(World& world, int threads) {
  int share = bind_to_own_cores(world);
  // Slurm does not everywhere confine a job to the cores that it was granted.
  if (const auto slurm = allocation(); slurm && slurm->cores_per_task > 0) share = std::min(share, slurm->cores_per_task);
  const char* given = std::getenv("OMP_NUM_THREADS");
  if (threads <= 0) threads = given != nullptr ? std::max(1, std::atoi(given)) : share;
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
}

}  // namespace duet
