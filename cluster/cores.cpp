#include "cluster/cores.h"

#include <sched.h>

#include <algorithm>
#include <vector>

namespace duet {
namespace {

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  return cores;
}

}  // namespace

int available_cores() { return std::max(1, static_cast<int>(allowed_cores().size())); }

int bind_to_own_cores(World& world) {
  const auto cores = allowed_cores();
  const auto own = fmt::format("{} {}", world.host(), fmt::join(cores, ","));
  const auto all = world.control().all_gather_strings(own);
  const int count = static_cast<int>(cores.size());
  const bool shared = std::count(all.begin(), all.end(), own) == world.local_size();
  if (!shared) return std::max(1, count);
  if (count < world.local_size()) return 1;
  const int first = count * world.local_rank() / world.local_size(), last = count * (world.local_rank() + 1) / world.local_size();
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = first; i < last; ++i) CPU_SET(cores[i], &set);
  ::sched_setaffinity(0, sizeof set, &set);  // a refusal costs speed only
  return last - first;
}

}  // namespace duet
