#include "trainer/data/noise_key.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "base/error.h"

namespace duet {
namespace {

constexpr std::int64_t kLastStep = 0x7ffffffffffe, kLastPlace = 0x3fffffffffffffff;

// A run that is resumed under another program must find the noise it began with.
TEST(NoiseKey, PackedValuesAreThoseThatRunsWereBegunWith) {
  EXPECT_EQ(noise_key(NoiseKind::training, StreamName::strokes, 5, 7), (NoiseKey{0x0001'0000'0000'0005, 7}));
  EXPECT_EQ(noise_key(NoiseKind::training, StreamName::warmup_pairs, 0, 0), (NoiseKey{0x000a'0000'0000'0000, 0}));
  EXPECT_EQ(noise_key(NoiseKind::pool_in_block, StreamName::joint_pool, 5, 7), (NoiseKey{0x0009'0000'0000'0005, 0x4000'0000'0000'0007}));
  EXPECT_EQ(noise_key(NoiseKind::evaluation, StreamName::generator_pairs, 0, 7), (NoiseKey{0x0002'7fff'ffff'ffff, 7}));
}

TEST(NoiseKey, NoTwoOfKindStreamStepAndPlaceShareAKey) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (auto stream = static_cast<int>(StreamName::strokes); stream <= static_cast<int>(StreamName::warmup_pairs); ++stream) {
    for (const auto kind : {NoiseKind::training, NoiseKind::pool_in_block, NoiseKind::evaluation}) {
      for (const auto step : {std::int64_t{0}, std::int64_t{1}, kLastStep}) {
        if (kind == NoiseKind::evaluation && step > 0) continue;  // it knows no step
        for (const auto place : {std::int64_t{0}, std::int64_t{1}, kLastPlace}) {
          const auto key = noise_key(kind, static_cast<StreamName>(stream), step, place);
          EXPECT_TRUE(seen.emplace(key.step, key.place).second)
              << "stream " << stream << ", kind " << static_cast<int>(kind) << ", step " << step << ", place " << place;
        }
      }
    }
  }
}

TEST(NoiseKey, WhatWouldReachIntoAnotherKindIsRefused) {
  EXPECT_THROW(noise_key(NoiseKind::training, StreamName::strokes, kLastStep + 1), InternalError);
  EXPECT_THROW(noise_key(NoiseKind::training, StreamName::strokes, 0, kLastPlace + 1), InternalError);
  EXPECT_THROW(noise_key(NoiseKind::training, StreamName::strokes, -1), InternalError);
}

TEST(NoiseKeys, HaveThePlaceOfEachRow) {
  const auto keys = noise_keys(NoiseKind::pool_in_block, StreamName::joint_pool, 3, std::vector<std::int64_t>{4, 2});
  for (std::size_t row = 0; row < 2; ++row) {
    const auto expected = noise_key(NoiseKind::pool_in_block, StreamName::joint_pool, 3, row == 0 ? 4 : 2);
    EXPECT_EQ((NoiseKey{keys.step, keys.place[row]}), expected) << "row " << row;
  }
}

}  // namespace
}  // namespace duet
