#include "cluster/ranks/cores.h"

#include <sched.h>

#include <algorithm>

#include "base/granted_cores.h"

namespace duet {

int bind_to_own_cores(World& world) {
  const auto cores = allowed_cores();
  const auto own = fmt::format("{} {}", world.host(), fmt::join(cores, ","));
  const auto all = world.control().all_gather_strings(own);
  const int count = static_cast<int>(cores.size());
  // A quota is of time, and of all ranks of the host together: more threads would only be held back in turns.
  const int granted = own_quota() ? std::max(1, *own_quota() / world.local_size()) : std::max(1, count);
  const bool shared = std::count(all.begin(), all.end(), own) == world.local_size();
  if (!shared) return std::clamp(count, 1, granted);
  if (count < world.local_size()) return 1;
  const int first = count * world.local_rank() / world.local_size(), last = count * (world.local_rank() + 1) / world.local_size();
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = first; i < last; ++i) CPU_SET(cores[i], &set);
  ::sched_setaffinity(0, sizeof set, &set);  // a refusal costs speed only
  return std::min(last - first, granted);
}

}  // namespace duet
