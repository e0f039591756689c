#include "datasets/loader/augmentation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace duet {
namespace {

constexpr Augmentation kAll{.rotate_degrees = 10, .scale = 0.2, .shift = 0.125};

KeyedRandom random_of(std::uint64_t sample) { return {7, Purpose::test, 3, sample}; }

TEST(RandomAffine, IsTheIdentityWhereNothingMoves) {
  for (const auto formula : {ScaleFormula::interval, ScaleFormula::deviation}) {
    const auto affine = random_affine({.flip = true}, formula, random_of(0));
    EXPECT_EQ(affine.xx, 1);
    EXPECT_EQ(affine.xy, 0);
    EXPECT_EQ(affine.x0, 0);
  }
}

TEST(RandomAffine, MovesTheCentreByTheShiftAndStaysInItsBounds) {
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    const auto affine = random_affine(kAll, ScaleFormula::interval, random_of(sample));
    const auto centre = transform(Sketch{{.x = 128, .y = 128}}, affine)[0];
    EXPECT_LE(std::abs(centre.x - 128), 32.001) << "sample " << sample;
    const double factor = std::hypot(affine.xx, affine.yx);
    EXPECT_GE(factor, 0.7999) << "sample " << sample;
    EXPECT_LE(factor, 1.2001) << "sample " << sample;
    EXPECT_LE(std::abs(affine.yx / affine.xx), std::tan(10.001 * M_PI / 180)) << "sample " << sample;
  }
}

// What either caller computed before the two were one, to the last bit.
TEST(RandomAffine, KeepsBothFormulasOfTheFactorToTheLastBit) {
  int different = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    auto first = random_of(sample), second = random_of(sample);
    const double degrees = first.uniform(-10, 10), interval = first.uniform(1 - 0.2, 1 + 0.2);
    const double x = first.uniform(-32, 32), y = first.uniform(-32, 32);
    second.uniform();
    const double deviation = 1 + second.uniform(-0.2, 0.2);
    const auto one = random_affine(kAll, ScaleFormula::interval, random_of(sample));
    const auto other = random_affine(kAll, ScaleFormula::deviation, random_of(sample));
    EXPECT_EQ(one.x0, Affine::about_centre(degrees, interval, x, y).x0) << "sample " << sample;
    EXPECT_EQ(other.x0, Affine::about_centre(degrees, deviation, x, y).x0) << "sample " << sample;
    different += one.xx != other.xx;
  }
  EXPECT_GT(different, 0) << "one formula would do";
}

}  // namespace
}  // namespace duet
