#include "base/random.h"

#include <gmock/gmock.h>

#include <set>

namespace duet {
namespace {

TEST(KeyedRandom, DependsOnEveryKeyAndOnNothingElse) {
  auto first = [](std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint64_t sample) {
    return KeyedRandom(seed, purpose, step, sample).next();
  };
  const auto value = first(1, Purpose::test, 2, 3);
  EXPECT_EQ(value, first(1, Purpose::test, 2, 3));
  const std::set<std::uint64_t> others{value,
                                       first(2, Purpose::test, 2, 3),
                                       first(1, Purpose::latent, 2, 3),
                                       first(1, Purpose::test, 3, 3),
                                       first(1, Purpose::test, 2, 4),
                                       first(1, Purpose::test, 3, 2)};
  EXPECT_EQ(others.size(), 6U);
}

TEST(KeyedRandom, MomentsAreThoseOfTheDistribution) {
  KeyedRandom random(5, Purpose::test, 0, 0);
  double sum = 0, squares = 0, uniform = 0;
  std::array<int, 7> faces{};
  const int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    uniform += random.uniform();
    ++faces[random.below(7)];
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(uniform / n, 0.5, 0.005);
  for (const int count : faces) EXPECT_NEAR(count, n / 7.0, 700);
}

}  // namespace
}  // namespace duet
