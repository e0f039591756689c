#include "base/time.h"

#include <gmock/gmock.h>

namespace duet {
namespace {

TEST(Time, DurationsReadWell) {
  EXPECT_EQ(human_duration(11.6), "12 s");
  EXPECT_EQ(human_duration(245), "4 min 05 s");
  EXPECT_EQ(human_duration(11520), "3 h 12 min");
}

}  // namespace
}  // namespace duet
