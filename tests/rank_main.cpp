#include <gtest/gtest.h>

#include "tests/rank_world.h"

namespace {
duet::World* world_of_tests = nullptr;
}

duet::World& test_world() { return *world_of_tests; }

// Every rank runs every case; only rank 0 prints. A rank whose case fails exits with 1, which mpirun reports.
// A suite whose name holds "SeveralRanks" claims something that one rank cannot show, and is not run on one.
int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  duet::World world({.timeout_seconds = 60});
  world_of_tests = &world;
  if (const std::string chosen = GTEST_FLAG_GET(filter); world.size() == 1)
    GTEST_FLAG_SET(filter, chosen + (chosen.find('-') == std::string::npos ? '-' : ':') + "*SeveralRanks*");
  if (world.rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (world.size() > 1) delete listeners.Release(listeners.default_result_printer());
  }
  return RUN_ALL_TESTS();
}
