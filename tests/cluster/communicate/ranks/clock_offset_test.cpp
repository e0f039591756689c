#include "cluster/communicate/clock_offset.h"

#include <gtest/gtest.h>

#include "tests/rank_world.h"

namespace duet {
namespace {

TEST(ClockOffset, IsFoundWithinItsUncertainty) {
  auto& control = test_world().control();
  const auto rank = control.rank();
  const std::int64_t ahead = rank * 3'600'000'000'000 + rank;  // of this rank's clock; on one host all clocks are one
  const auto reading = measure_clock(control, [&] { return trace_nanoseconds() + ahead; });
  EXPECT_LE(std::abs(reading.offset_nanoseconds + ahead), reading.uncertainty_nanoseconds) << "rank " << rank;
  EXPECT_LT(reading.uncertainty_nanoseconds, 1'000'000'000) << "rank " << rank << ": no bound was found";
  EXPECT_GE(reading.at_nanoseconds, ahead);
  if (rank == 0) {
    EXPECT_EQ(reading.offset_nanoseconds, 0);
  }
}

}  // namespace
}  // namespace duet
