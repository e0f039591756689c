#include "trainer/objectives/infonce.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

using Rows = std::vector<std::int64_t>;

Tensor unit_rows(std::vector<std::int64_t> shape, std::uint64_t seed) {
  auto rows = normal_tensor(shape, seed);
  return rows / rows.norm(2, -1, true);
}

// Softmax cross entropy as a plain loop; other rows of row i's photo are no candidates.
double reference(const Tensor& sketch, const Tensor& photo, const Rows& shown, const Rows& group, const std::vector<double>& weight,
                 double temperature) {
  const auto s = loops_of(sketch), p = loops_of(photo);
  auto similarity = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < s[i].size(); ++k) sum += s[i][k] * p[j][k];
    return sum / temperature;
  };
  double loss = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    double total = 0;
    for (std::size_t j = 0; j < s.size(); ++j) {
      if (j == i || shown[j] != shown[i] || group[j] != group[i]) total += std::exp(similarity(i, j));
    }
    loss -= weight[i] * std::log(std::exp(similarity(i, i)) / total);
  }
  return loss / static_cast<double>(s.size());
}

const Rows kPhoto = {0, 1, 0, 2, 0, 1};  // labelled photo 0 twice, labelled photo 1 once; pool photos 2, 0 and 1
const Rows kGroup = {0, 0, 0, 1, 1, 1};

TEST(InfoNce, IsCrossEntropyAgainstTheOtherPhotosOfTheBatch) {
  const auto sketch = unit_rows({6, 4}, 1), photo = unit_rows({6, 4}, 2);
  const std::vector<double> weight = {1, 1, 1, 0.25, 0.5, 0};
  const auto loss = infonce_loss(sketch, photo, {kPhoto, kGroup}, at::tensor(at::ArrayRef<double>(weight), at::kDouble), 0.1);
  EXPECT_NEAR(loss.item<double>(), reference(sketch, photo, kPhoto, kGroup, weight, 0.1), 1e-12);
}

TEST(InfoNce, HasTheGradientOfItsValue) {
  const auto sketch = unit_rows({6, 4}, 1), photo = unit_rows({6, 4}, 2), weight = normal_tensor({6}, 3).abs();
  expect_gradient([&](const Tensor& s) { return infonce_loss(s, photo, {kPhoto, kGroup}, weight, 0.5); }, sketch);
  expect_gradient([&](const Tensor& p) { return infonce_loss(sketch, p, {kPhoto, kGroup}, weight, 0.5); }, photo);
}

TEST(InfoNce, TakesNoOtherSketchOfTheSamePhotoForANegative) {
  const auto sketch = unit_rows({6, 4}, 1), photo = unit_rows({6, 4}, 2);
  auto moved = photo.clone();
  moved[2] = -photo[2];  // row 2 shows labelled photo 0 again: row 0 must not notice, pool photo 0 in row 4 must
  const auto before = infonce_terms(sketch, photo, {kPhoto, kGroup}, 0.1), after = infonce_terms(sketch, moved, {kPhoto, kGroup}, 0.1);
  EXPECT_EQ(before[0].item<double>(), after[0].item<double>());
  EXPECT_NE(before[4].item<double>(), after[4].item<double>());
}

TEST(InfoNce, IsZeroWithZeroGradientWhereAllRowsShowOnePhoto) {
  auto sketch = unit_rows({3, 4}, 1).set_requires_grad(true);
  const Rows photo = {5, 5, 5}, group = {0, 0, 0};
  auto loss = infonce_loss(sketch, unit_rows({3, 4}, 2), {photo, group}, at::ones({3}, at::kDouble), 0.05);
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), 0, 1e-12);
  EXPECT_TRUE(sketch.grad().isfinite().all().item<bool>());
  EXPECT_NEAR(sketch.grad().abs().max().item<double>(), 0, 1e-12);
}

TEST(InfoNce, StaysFiniteInFloat32AtTheSmallestTemperatures) {
  auto sketch = unit_rows({4, 3}, 1).to(at::kFloat).set_requires_grad(true);
  const Rows photo = {0, 1, 2, 3}, group = {0, 0, 0, 0};
  auto loss = infonce_loss(sketch, -sketch.detach(), {photo, group}, at::ones({4}), 0.001);
  loss.backward();
  EXPECT_TRUE(std::isfinite(loss.item<float>()));
  EXPECT_TRUE(sketch.grad().isfinite().all().item<bool>());
}

TEST(InfoNce, LetsNoGradientIntoTheWeights) {
  auto weight = at::ones({6}, at::kDouble).set_requires_grad(true);
  auto sketch = unit_rows({6, 4}, 1).set_requires_grad(true);
  infonce_loss(sketch, unit_rows({6, 4}, 2), {kPhoto, kGroup}, weight, 0.1).backward();
  EXPECT_FALSE(weight.grad().defined());
}

TEST(InfoNce, RefusesRowsThatDoNotMatch) {
  const Rows five = {0, 1, 2, 3, 4};
  EXPECT_THROW(infonce_terms(unit_rows({6, 4}, 1), unit_rows({6, 4}, 2), {five, five}, 0.1), InternalError);
}

}  // namespace
}  // namespace duet
