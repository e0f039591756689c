#include "trainer/kernels/vector_math.h"

#include <gtest/gtest.h>

#include <limits>

namespace duet {
namespace {

TEST(VectorTanh, IsWithinTwoRoundingErrorsOfTheLibrary) {
  for (float x = -12; x < 12; x += 0.00037f) {
    const double exact = std::tanh(static_cast<double>(x));
    ASSERT_NEAR(vector_tanh(x), exact, 2.4e-7 * std::abs(exact)) << x;
  }
  for (const float tiny : {1e-3f, 1e-6f, 1e-20f, 1e-38f}) EXPECT_FLOAT_EQ(vector_tanh(tiny), tiny);
}

TEST(VectorTanh, SaturatesAndKeepsNaN) {
  EXPECT_EQ(vector_tanh(std::numeric_limits<float>::infinity()), 1);
  EXPECT_EQ(vector_tanh(-std::numeric_limits<float>::infinity()), -1);
  EXPECT_TRUE(std::isnan(vector_tanh(std::numeric_limits<float>::quiet_NaN())));  // a diverged network must be seen
  EXPECT_TRUE(std::isnan(vector_sigmoid(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace duet
