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
    for (int i = 0; i < 300; ++i) hashes.push_back(random.next());
    // Neighbours at every distance up to beyond the radius, whose flips fall on the halves in every proportion.
    for (int i = 0; i < 700; ++i)
      hashes.push_back(changed(hashes[random.below(hashes.size())], static_cast<int>(random.below(11)), random));
    for (const auto hash : hashes) index.add(hash);
    for (std::size_t i = 0; i < hashes.size(); i += 7) {
      std::vector<std::int64_t> expected;
      for (std::size_t k = 0; k < hashes.size(); ++k)
        if (std::popcount(hashes[i] ^ hashes[k]) <= radius) expected.push_back(static_cast<std::int64_t>(k));
      ASSERT_EQ(index.matches(hashes[i]), expected) << "radius " << radius;
    }
  }
}

TEST(SimilarityIndex, FindsFlipsHoweverTheyFallOnTheHalves) {
  const std::uint64_t hash = 0x0123456789ABCDEF;
  SimilarityIndex index(8);
  index.add(hash);
  for (int low = 0; low <= 8; ++low) {
    const std::uint64_t mask = ((std::uint64_t{1} << low) - 1) | (((std::uint64_t{1} << (8 - low)) - 1) << 32);
    EXPECT_TRUE(index.nearest(hash ^ mask)) << low << " flips in the low half";
    EXPECT_FALSE(index.nearest(hash ^ mask ^ (std::uint64_t{1} << 60))) << "nine flips";
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
