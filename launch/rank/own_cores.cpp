#include "launch/rank/own_cores.h"

#include <algorithm>
#include <exception>
#include <future>
#include <thread>
#include <vector>

#include "base/environment.h"
#include "base/thread.h"
#include "base/torch.h"
#include "cluster/ranks/cores.h"
#include "cluster/run/allocation.h"

namespace duet {
namespace {

// Of threads that are not granted LibTorch's pool waits for ever and OpenMP's ends the process: ask for as many as both will take, all at
// one time. Throws Unavailable.
void require_threads(int count) {
  std::promise<void> end;
  const auto ended = end.get_future().share();
  std::vector<std::thread> granted;
  std::exception_ptr fault;
  try {
    while (std::ssize(granted) < count) granted.push_back(start_thread("duet-probe", [ended] { ended.wait(); }));
  } catch (...) {
    fault = std::current_exception();
  }
  end.set_value();
  for (auto& thread : granted) thread.join();
  if (fault) std::rethrow_exception(fault);
}

}  // namespace

void use_own_cores(World& world, int threads) {
  int share = bind_to_own_cores(world);
  // Slurm does not everywhere confine a job to the cores that it was granted.
  if (const auto slurm = allocation(); slurm && slurm->cores_per_task > 0) share = std::min(share, slurm->cores_per_task);
  if (threads <= 0) threads = std::max(1, environment_number("OMP_NUM_THREADS", share));
  require_threads(2 * (threads - 1));
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
}

}  // namespace duet
