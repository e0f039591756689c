#include "launch/rank/own_cores.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/no_threads.h"

namespace duet {
namespace {

TEST(OwnCores, ThreadsThatAreNotGrantedAreAnErrorBeforeLibTorchWaitsForThem) {
  World world;
  const NoThreads none;
  EXPECT_THROW(use_own_cores(world, 3), Unavailable);
}

TEST(OwnCores, OneThreadAsksForNoOther) {
  World world;
  const NoThreads none;
  EXPECT_NO_THROW(use_own_cores(world, 1));
}

}  // namespace
}  // namespace duet
