#include "datasets/image/similarity_index.h"

#include <gtest/gtest.h>

#include <bit>

#include "base/random.h"

namespace duet {
namespace {

/// `hash` with `bits` of its bits flipped.
std::uint64_t changed(std::uint64_t hash, int bits, KeyedRandom& random) {
  std::uint64_t mask = 0;
  while (std::popcount(mask) < bits) mask |= std::uint64_t{1} << random.below(64);
  return hash ^ mask;
}

TEST(SimilarityIndex, FindsWhatComparingWithAllFinds) {
  for (const int radius : {0, 1, 2, 5, 6, 7, 8}) {
    SimilarityIndex index(radius);
    std::vector<std::uint64_t> hashes;
    KeyedRandom random(3, Purpose::test, 0, static_cast<std::uint64_t>(radius));
    for (int i = 0; i < 3000; ++i) hashes.push_back(random.next());
    // Neighbours at every distance up to beyond the radius, whose flips fall on the halves in every proportion.
    for (int i = 0; i < 7000; ++i)
      hashes.push_back(changed(hashes[random.below(hashes.size())], static_cast<int>(random.below(11)), random));
    for (const auto hash : hashes) index.add(hash);  // enough for tables
    for (std::size_t i = 0; i < hashes.size(); i += 23) {
      std::vector<std::int64_t> expected;
      for (std::size_t k = 0; k < hashes.size(); ++k)
        if (std::popcount(hashes[i] ^ hashes[k]) <= radius) expected.push_back(static_cast<std::int64_t>(k));
      ASSERT_EQ(index.matches(hashes[i]), expected) << "radius " << radius;
    }
  }
}

TEST(SimilarityIndex, FindsFlipsHoweverTheyFallOnTheThirds) {
  SimilarityIndex index(8);
  KeyedRandom random(4, Purpose::test, 0, 0);
  std::vector<std::uint64_t> hashes;
  for (int i = 0; i < 5000; ++i) hashes.push_back(random.next());
  for (const auto hash : hashes) index.add(hash);
  // first + second + third bits of the thirds, which are every third bit of the hash.
  for (int first = 0; first <= 8; ++first) {
    for (int second = 0; first + second <= 8; ++second) {
      std::uint64_t mask = 0;
      const int counts[3] = {first, second, 8 - first - second};
      for (int third = 0; third < 3; ++third)
        for (int bit = 0; bit < counts[third]; ++bit) mask |= std::uint64_t{1} << (3 * (bit + third) + third);
      ASSERT_EQ(std::popcount(mask), 8);
      EXPECT_EQ(index.nearest(hashes[42] ^ mask), 42) << first << " " << second;
      EXPECT_EQ(index.nearest(hashes[42] ^ mask ^ (std::uint64_t{1} << 63)), std::nullopt) << "nine flips";
    }
  }
}

TEST(SimilarityIndex, TheNearestWinsAndOfEqualsTheFirst) {
  SimilarityIndex index(4);
  index.add(0b1111);
  index.add(0b0011);
  index.add(0b1100);
  EXPECT_EQ(index.nearest(0), 1);
  EXPECT_EQ(index.nearest(0b11111), 0);
  EXPECT_EQ(index.nearest(~std::uint64_t{0}), std::nullopt);
}

}  // namespace
}  // namespace duet
