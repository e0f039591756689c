#include "trainer/objectives/distillation.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/trainer/objectives/finite_differences.h"

namespace duet {
namespace {

TEST(Distillation, ComparesTheDistanceOfEachPair) {
  const auto sketch = normal_tensor({5, 4}, 1), photo = normal_tensor({5, 4}, 2);
  const auto teacher = normal_tensor({5}, 3).abs() + 2;
  const auto s = loops_of(sketch), p = loops_of(photo);
  const auto absolute = distillation_terms(teacher, pair_distance(sketch, photo), DistillationForm::absolute);
  const auto squared = distillation_terms(teacher, pair_distance(sketch, photo), DistillationForm::squared);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto drift = teacher[i].item<double>() - distance(s[static_cast<std::size_t>(i)], p[static_cast<std::size_t>(i)]);
    EXPECT_NEAR(absolute[i].item<double>(), std::abs(drift), 1e-12);
    EXPECT_NEAR(squared[i].item<double>(), drift * drift, 1e-12);
  }
}

TEST(Distillation, HasTheGradientOfItsValue) {
  const auto sketch = normal_tensor({5, 4}, 1), photo = normal_tensor({5, 4}, 2), teacher = normal_tensor({5}, 3).abs() + 2;
  for (const auto form : {DistillationForm::absolute, DistillationForm::squared}) {
    expect_gradient([&](const Tensor& s) { return distillation_terms(teacher, pair_distance(s, photo), form).mean(); }, sketch);
  }
}

TEST(Distillation, PullsNothingWhereStudentAndTeacherAgreeAndPairsCoincide) {
  auto sketch = at::ones({2, 3}, at::kDouble).set_requires_grad(true);
  distillation_terms(at::zeros({2}, at::kDouble), pair_distance(sketch, at::ones({2, 3}, at::kDouble)), DistillationForm::absolute)
      .sum()
      .backward();
  EXPECT_EQ(sketch.grad().abs().max().item<double>(), 0);
}

TEST(Distillation, LetsNoGradientIntoTheTeacher) {
  auto teacher = at::ones({2}, at::kDouble).set_requires_grad(true);
  auto student = at::zeros({2}, at::kDouble).set_requires_grad(true);
  distillation_terms(teacher, student, DistillationForm::squared).sum().backward();
  EXPECT_FALSE(teacher.grad().defined());
  EXPECT_EQ(student.grad()[0].item<double>(), -2);
}

}  // namespace
}  // namespace duet
