#include <gtest/gtest.h>

#include "cluster/world.h"

// Every rank runs every case; only rank 0 prints. A rank whose case fails exits with 1, which mpirun reports.
int main(int count, char** values) {
  testing::InitGoogleTest(&count, values);
  duet::World world;
  if (world.rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (world.size() > 1) delete listeners.Release(listeners.default_result_printer());
  }
  return RUN_ALL_TESTS();
}
