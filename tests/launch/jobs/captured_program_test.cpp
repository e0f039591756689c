#include "launch/jobs/captured_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace duet {
namespace {

TEST(CapturedProgram, TellsOutputErrorsAndStatusApart) {
  const auto end = run_captured({"sh", "-c", "echo out; echo wrong >&2; exit 3"}, 30);
  EXPECT_EQ(end.out, "out\n");
  EXPECT_EQ(end.error, "wrong\n");
  EXPECT_EQ(end.status, 3);
  EXPECT_EQ(run_captured({"sh", "-c", "kill -9 $$"}, 30).status, -9);
  EXPECT_EQ(run_captured({"sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"}, 30).out.size(), 300000U)
      << "neither pipe blocks";
  EXPECT_THROW(run_captured({"duet-has-no-such-program"}, 30), Unavailable);
  EXPECT_TRUE(run_captured({"sleep", "60"}, 0.2).timed_out);
  EXPECT_TRUE(is_program("sh"));
  EXPECT_FALSE(is_program("duet-has-no-such-program"));
}

}  // namespace
}  // namespace duet
