#include "base/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace duet {
namespace {

TEST(Environment, TextsAndNumbersOfWhatIsSetAndOfWhatIsNot) {
  ::setenv("DUET_TEST_VARIABLE", "12", 1);
  EXPECT_EQ(environment("DUET_TEST_VARIABLE"), "12");
  EXPECT_EQ(environment_number("DUET_TEST_VARIABLE", 3), 12);
  ::setenv("DUET_TEST_VARIABLE", "", 1);
  EXPECT_EQ(environment_number("DUET_TEST_VARIABLE", 3), 3);
  ::unsetenv("DUET_TEST_VARIABLE");
  EXPECT_EQ(environment("DUET_TEST_VARIABLE"), "");
  EXPECT_EQ(environment_number("DUET_TEST_VARIABLE", 3), 3);
}

}  // namespace
}  // namespace duet
