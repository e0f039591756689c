#include "cluster/communicate/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace duet {
namespace {

TEST(Half, RoundTripsEveryValueAndRoundsToNearestEven) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float f16 = float16_to_float(half), b16 = bfloat16_to_float(half);
    if (f16 == f16) {
      ASSERT_EQ(float_to_float16(f16), half) << bits;
    } else {
      ASSERT_NE(float16_to_float(float_to_float16(f16)), f16);
    }
    if (b16 == b16) {
      ASSERT_EQ(float_to_bfloat16(b16), half) << bits;
    }
  }
  for (std::uint16_t bits = 0; bits < 0x7bff; ++bits) {  // between each two finite neighbours: below, at and above the middle
    const float low = float16_to_float(bits), high = float16_to_float(bits + 1), middle = (low + high) / 2;
    ASSERT_EQ(float_to_float16(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(float_to_float16(middle), bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(float_to_float16(std::nextafter(middle, 1e9f)), bits + 1);
  }
  EXPECT_EQ(float_to_float16(65519.996f), 0x7bff);
  EXPECT_EQ(float_to_float16(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_float16(-1e30f), 0xfc00);
}

}  // namespace
}  // namespace duet
