#include "cluster/ranks/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <numeric>

#include "base/granted_cores.h"
#include "tests/rank_world.h"

namespace duet {
namespace {

TEST(Cores, RanksOfAHostShareNoneAsLongAsThereAreEnough) {
  auto& world = test_world();
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  const int host_cores = available_cores();
  const int share = bind_to_own_cores(world);
  cpu_set_t after;
  ::sched_getaffinity(0, sizeof after, &after);
  std::vector<std::int64_t> users(CPU_SETSIZE);
  for (int core = 0; core < CPU_SETSIZE; ++core) users[core] = CPU_ISSET(core, &after);
  const auto own = std::accumulate(users.begin(), users.end(), std::int64_t{0});
  world.control().all_reduce(std::span(users));
  if (host_cores >= world.local_size()) {
    EXPECT_EQ(own, share);
    EXPECT_EQ(*std::max_element(users.begin(), users.end()), 1);
    EXPECT_EQ(std::accumulate(users.begin(), users.end(), std::int64_t{0}), host_cores) << "no core stays idle";
    EXPECT_EQ(bind_to_own_cores(world), share) << "ranks that are apart already stay as they are";
  } else {
    EXPECT_EQ(share, 1);
    EXPECT_EQ(own, host_cores);
  }
  ::sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace duet
