#include "trainer/objectives/triplet.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

using Rows = std::vector<std::int64_t>;

TEST(Negatives, NeverShowTheRowsOwnPhotoNorAnotherGroup) {
  const Rows photo = {0, 0, 1, 2, 2, 3, 0, 1, 2, 5};
  const Rows group = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1};
  for (std::uint64_t step = 0; step < 500; ++step) {
    const auto negative = negatives({photo, group}, 3, step);
    for (std::size_t row = 0; row < photo.size(); ++row) {
      const auto other = static_cast<std::size_t>(negative[row]);
      ASSERT_NE(photo[other], photo[row]) << "row " << row << ", step " << step;
      ASSERT_EQ(group[other], group[row]) << "row " << row << ", step " << step;
    }
  }
}

TEST(Negatives, UseEachRowOnceWhereTheBatchAdmitsIt) {
  const Rows photo = {0, 0, 0, 1, 1, 2};  // one photo fills half: the hardest batch with a derangement
  const Rows group(photo.size(), 0);
  for (std::uint64_t step = 0; step < 500; ++step) {
    const auto negative = negatives({photo, group}, 3, step);
    EXPECT_EQ(std::set<std::int64_t>(negative.begin(), negative.end()).size(), photo.size()) << "step " << step;
  }
}

TEST(Negatives, DrawForEachRowWhereOnePhotoFillsMoreThanHalf) {
  const Rows photo = {7, 7, 7, 7, 8, 9};
  const Rows group(photo.size(), 0);
  std::set<std::int64_t> drawn;
  for (std::uint64_t step = 0; step < 200; ++step) {
    const auto negative = negatives({photo, group}, 3, step);
    for (std::size_t row = 0; row < photo.size(); ++row) ASSERT_NE(photo[static_cast<std::size_t>(negative[row])], photo[row]);
    drawn.insert(negative[0]);
  }
  EXPECT_THAT(drawn, testing::ElementsAre(4, 5));
}

TEST(Negatives, ReachEveryOtherPhotoAboutEquallyOften) {
  constexpr int kRows = 8, kSteps = 7000;
  Rows photo(kRows), group(kRows, 0);
  for (int i = 0; i < kRows; ++i) photo[static_cast<std::size_t>(i)] = i;
  std::vector<int> count(kRows);
  for (int step = 0; step < kSteps; ++step)
    ++count[static_cast<std::size_t>(negatives({photo, group}, 3, static_cast<std::uint64_t>(step))[2])];
  for (int other = 0; other < kRows; ++other) {
    if (other == 2) continue;
    EXPECT_NEAR(count[static_cast<std::size_t>(other)], kSteps / 7.0, 150) << "photo " << other;  // five standard deviations
  }
}

TEST(Negatives, AreAFunctionOfSeedAndStep) {
  Rows photo(64), group(64, 0);
  for (std::size_t i = 0; i < photo.size(); ++i) photo[i] = static_cast<std::int64_t>(i);
  EXPECT_EQ(negatives({photo, group}, 3, 5), negatives({photo, group}, 3, 5));
  EXPECT_NE(negatives({photo, group}, 3, 5), negatives({photo, group}, 3, 6));
  EXPECT_NE(negatives({photo, group}, 3, 5), negatives({photo, group}, 4, 5));
}

TEST(Negatives, RefuseABatchOfOnePhoto) {
  const Rows photo = {4, 4, 1, 2}, group = {0, 0, 1, 1};
  try {
    negatives({photo, group}, 3, 12);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("labelled"), testing::HasSubstr("photo 4"), testing::HasSubstr("step 12")));
  }
}

TEST(TripletLoss, IsThePapersFormula) {
  const auto sketch = normal_tensor({6, 5}, 1), photo = normal_tensor({6, 5}, 2);
  const auto weight = normal_tensor({6}, 3).abs();
  const Rows negative = {3, 5, 0, 1, 2, 4};
  const auto s = loops_of(sketch), p = loops_of(photo);
  double sum = 0;
  int active = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const auto term = 0.3 + distance(s[i], p[i]) - distance(s[i], p[static_cast<std::size_t>(negative[i])]);
    active += term > 0;
    sum += weight[static_cast<std::int64_t>(i)].item<double>() * std::max(0.0, term);
  }
  ASSERT_THAT(active, testing::AllOf(testing::Gt(0), testing::Lt(6))) << "both sides of the hinge should occur";
  EXPECT_NEAR(triplet_loss(sketch, photo, negative, weight, 0.3).item<double>(), sum / 6, 1e-12);
}

TEST(TripletLoss, HasTheGradientOfItsValue) {
  const auto sketch = normal_tensor({6, 5}, 1), photo = normal_tensor({6, 5}, 2), weight = normal_tensor({6}, 3).abs();
  const Rows negative = {3, 5, 0, 1, 2, 4};
  expect_gradient([&](const Tensor& s) { return triplet_loss(s, photo, negative, weight, 0.3); }, sketch);
  expect_gradient([&](const Tensor& p) { return triplet_loss(sketch, p, negative, weight, 0.3); }, photo);
}

TEST(TripletLoss, StaysFiniteWhereSketchAndPhotoCoincide) {
  auto sketch = at::ones({2, 3}, at::kDouble).set_requires_grad(true);
  const Rows negative = {1, 0};
  triplet_loss(sketch, at::ones({2, 3}, at::kDouble), negative, at::ones({2}, at::kDouble), 0.3).backward();
  EXPECT_TRUE(sketch.grad().isfinite().all().item<bool>());
}

TEST(TripletLoss, LetsNoGradientIntoTheWeights) {
  auto weight = at::ones({2}, at::kDouble).set_requires_grad(true);
  auto sketch = normal_tensor({2, 3}, 1).set_requires_grad(true);
  const Rows negative = {1, 0};
  triplet_loss(sketch, normal_tensor({2, 3}, 2), negative, weight, 5).backward();
  EXPECT_FALSE(weight.grad().defined());
  EXPECT_GT(sketch.grad().abs().sum().item<double>(), 0);
}

TEST(TripletLoss, RefusesWeightsOfAnotherShape) {
  const Rows negative = {1, 0};
  EXPECT_THROW(triplet_loss(normal_tensor({2, 3}, 1), normal_tensor({2, 3}, 2), negative, at::ones({2, 1}, at::kDouble), 0.3),
               InternalError);
}

}  // namespace
}  // namespace duet
