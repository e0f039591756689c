#include "trainer/evaluation/retrieval_ranks.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/random.h"

namespace duet {
namespace {

using testing::ElementsAre;

Tensor noise(std::int64_t rows, std::int64_t width, std::uint64_t salt) {
  auto values = at::empty({rows, width}, at::kDouble);
  KeyedRandom random(1, Purpose::test, salt, 0);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.normal();
  return values;
}

TEST(RankGallery, AgreesWithSortingEveryDistance) {
  const auto query = noise(40, 6, 1), gallery = noise(25, 6, 2);
  std::vector<std::int64_t> truth;
  for (std::int64_t i = 0; i < 40; ++i) truth.push_back(i % 25);
  const auto ranking = rank_gallery(query, gallery, truth);
  for (std::size_t i = 0; i < 40; ++i) {
    std::vector<std::pair<double, std::int64_t>> order;
    for (std::int64_t j = 0; j < 25; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < 6; ++k) {
        sum += std::pow(query[static_cast<std::int64_t>(i)][k].item<double>() - gallery[j][k].item<double>(), 2);
      }
      order.emplace_back(std::sqrt(sum), j);
    }
    std::sort(order.begin(), order.end());
    const auto place = std::find_if(order.begin(), order.end(), [&](const auto& entry) { return entry.second == truth[i]; });
    ASSERT_EQ(ranking.rank[i], 1 + (place - order.begin())) << "query " << i;
    for (std::size_t k = 0; k < 10; ++k) ASSERT_EQ(ranking.nearest[10 * i + k], order[k].second) << "query " << i << ", place " << k;
  }
}

TEST(RankGallery, CountsTiesAgainstTheQuery) {
  const auto gallery = at::tensor({0.0, 1.0, 1.0, 3.0}, at::kDouble).view({4, 1});
  const auto query = at::tensor({1.0, 1.0, 2.0, 0.0}, at::kDouble).view({4, 1});
  EXPECT_THAT(rank_gallery(query, gallery, std::vector<std::int64_t>{1, 0, 3, 0}).rank, ElementsAre(2, 3, 3, 1));
}

TEST(RankGallery, GivesACollapsedNetworkTheLastRank) {
  const auto row = noise(1, 1280, 3).to(at::kFloat);
  const auto all = (row / row.norm()).expand({103, 1280}).contiguous();
  const auto ranking = rank_gallery(all, all, std::vector<std::int64_t>(103, 7));
  EXPECT_THAT(ranking.rank, testing::Each(103));
}

// Distances of a few 1e-5 between vectors of length 1: |a|² + |b|² − 2ab loses them in float32, differences keep them.
TEST(RankGallery, TellsPhotosApartThatAreNearlyEqual) {
  const auto row = noise(1, 1280, 3).to(at::kFloat);
  const auto query = row / row.norm();
  auto gallery = query.expand({40, 1280}).clone();
  for (std::int64_t j = 0; j < 40; ++j) gallery[j][0] += 1e-5 * static_cast<double>(40 - j);
  for (const std::int64_t j : {0, 17, 39}) EXPECT_EQ(rank_gallery(query, gallery, std::vector<std::int64_t>{j}).rank[0], 40 - j);
}

TEST(RankGallery, HasShortListsForSmallGalleries) {
  const auto ranking = rank_gallery(noise(2, 3, 1), noise(4, 3, 2), std::vector<std::int64_t>{0, 1});
  EXPECT_EQ(nearest_count(4), 4);
  EXPECT_EQ(ranking.nearest.size(), 8U);
}

}  // namespace
}  // namespace duet
