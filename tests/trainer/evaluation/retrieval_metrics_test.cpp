#include "trainer/evaluation/retrieval_metrics.h"

#include <gmock/gmock.h>

#include "base/random.h"

namespace duet {
namespace {

using Numbers = std::vector<std::int64_t>;

TEST(RetrievalMetrics, CountsRanksWithinOneFiveAndTen) {
  const Numbers rank = {1, 1, 2, 5, 6, 10, 11, 100}, photo = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto metrics = retrieval_metrics(rank, photo, 100, 1);
  EXPECT_EQ(metrics.queries, 8);
  EXPECT_EQ(metrics.gallery, 100);
  EXPECT_DOUBLE_EQ(metrics.acc_1, 100 * 2 / 8.0);
  EXPECT_DOUBLE_EQ(metrics.acc_5, 100 * 4 / 8.0);
  EXPECT_DOUBLE_EQ(metrics.acc_10, 100 * 6 / 8.0);
  double sum = 0;
  for (const auto one : rank) sum += static_cast<double>(100 - one) / 99;
  EXPECT_DOUBLE_EQ(metrics.mean_rank_percentile, 100 * sum / 8);
}

TEST(RetrievalMetrics, HasAnExactIntervalWhereEveryResampleIsTheSame) {
  const auto metrics = retrieval_metrics(Numbers(9, 3), Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8}, 5, 1);
  EXPECT_DOUBLE_EQ(metrics.mean_rank_percentile_interval.low, 50);
  EXPECT_DOUBLE_EQ(metrics.mean_rank_percentile_interval.high, 50);
  EXPECT_DOUBLE_EQ(metrics.acc_1_interval.high, 0);
  EXPECT_DOUBLE_EQ(metrics.acc_5_interval.low, 100);
}

// The interval of a share p over n independent photos is about p ± 1.96 sqrt(p (1 − p) / n); with three sketches a photo that succeed
// together it is as wide, not narrower by sqrt(3), as it would be if sketches were drawn one by one.
TEST(RetrievalMetrics, TakesSketchesOfOnePhotoTogether) {
  constexpr int kPhotos = 400;
  Numbers rank, photo;
  for (int i = 0; i < kPhotos; ++i) {
    for (int sketch = 0; sketch < 3; ++sketch) {
      rank.push_back(i % 4 == 0 ? 1 : 2);
      photo.push_back(i);
    }
  }
  const auto metrics = retrieval_metrics(rank, photo, kPhotos, 1, 4000);
  const auto half_width = 100 * 1.96 * std::sqrt(0.25 * 0.75 / kPhotos);
  EXPECT_NEAR(metrics.acc_1_interval.low, 25 - half_width, 0.4);
  EXPECT_NEAR(metrics.acc_1_interval.high, 25 + half_width, 0.4);
}

TEST(RetrievalMetrics, WeighsPhotosByTheirQueries) {
  // Photo 0 has one query that fails, photo 1 nine that succeed: resamples give 0, 90 or 100, never the mean of photos' means.
  Numbers rank = {2}, photo = {0};
  for (int i = 0; i < 9; ++i) {
    rank.push_back(1);
    photo.push_back(1);
  }
  const auto metrics = retrieval_metrics(rank, photo, 10, 1);
  EXPECT_DOUBLE_EQ(metrics.acc_1, 90);
  EXPECT_DOUBLE_EQ(metrics.acc_1_interval.low, 0);
  EXPECT_DOUBLE_EQ(metrics.acc_1_interval.high, 100);
}

TEST(RetrievalMetrics, DependOnTheSeedInTheIntervalOnly) {
  Numbers rank, photo;
  KeyedRandom random(5, Purpose::test, 0, 0);
  for (int i = 0; i < 300; ++i) {
    rank.push_back(1 + static_cast<std::int64_t>(random.below(50)));
    photo.push_back(i / 3);
  }
  const auto one = to_json(retrieval_metrics(rank, photo, 100, 1)), again = to_json(retrieval_metrics(rank, photo, 100, 1)),
             other = to_json(retrieval_metrics(rank, photo, 100, 2));
  EXPECT_EQ(one, again);
  EXPECT_EQ(one["acc@1"], other["acc@1"]);
  EXPECT_NE(one["interval"], other["interval"]);
}

TEST(RetrievalMetrics, RefuseAnEmptySet) { EXPECT_THROW(retrieval_metrics({}, {}, 10, 1), UsageError); }

TEST(RetrievalMetrics, AcceptAGalleryOfOne) { EXPECT_EQ(retrieval_metrics(Numbers{1}, Numbers{0}, 1, 1).mean_rank_percentile, 100); }

TEST(RetrievalMetrics, AreJsonUnderTheFieldsNames) {
  const auto metrics = retrieval_metrics(Numbers{1, 7, 20}, Numbers{0, 1, 1}, 30, 1);
  const auto json = to_json(metrics);
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, testing::ElementsAre("queries", "gallery", "left_out", "acc@1", "acc@5", "acc@10", "mean_rank_percentile", "interval"));
  EXPECT_EQ(json["acc@5"], metrics.acc_5);
  EXPECT_EQ(json["mean_rank_percentile"], metrics.mean_rank_percentile);
  EXPECT_EQ(json["interval"]["acc@10"]["high"], metrics.acc_10_interval.high);
}

TEST(RetrievalMetrics, ShowCountsBesideEveryFigure) {
  const auto metrics = retrieval_metrics(Numbers{1, 1, 1, 2}, Numbers{0, 1, 2, 3}, 17, 1);
  const auto table = metrics_table({{"supervised", metrics}, {"joint, best", metrics}});
  EXPECT_THAT(table, testing::AllOf(testing::HasSubstr("supervised"), testing::HasSubstr("joint, best"), testing::HasSubstr("75.0 ["),
                                    testing::HasSubstr("17"), testing::HasSubstr("gallery")));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
}

}  // namespace
}  // namespace duet
