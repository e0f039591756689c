#include "trainer/models/stroke_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "trainer/kernels/drawing.h"

namespace duet {
namespace {

using testing::HasSubstr;

const std::vector<std::vector<Offset>> kSequences{{{4, -2, Pen::touching}, {6, 8, Pen::end}},
                                                  {{-2, 2, Pen::touching}, {0, 10, Pen::lifted}, {1, 3, Pen::touching}, {2, 0, Pen::end}}};

TEST(StrokeBatch, ScalesShiftsAndPads) {
  const auto batch = make_stroke_batch(kSequences, 2, at::kDouble, at::kCPU, "test");
  EXPECT_TRUE(batch.lengths.equal(at::tensor({2, 4}, at::kLong)));
  const auto padding = std::vector<double>{0, 0, 0, 0, 1};
  const std::vector<std::vector<std::vector<double>>> targets{{{2, -1, 1, 0, 0}, {3, 4, 0, 0, 1}, padding, padding},
                                                              {{-1, 1, 1, 0, 0}, {0, 5, 0, 1, 0}, {0.5, 1.5, 1, 0, 0}, {1, 0, 0, 0, 1}}};
  ASSERT_EQ(batch.targets.sizes(), at::IntArrayRef({2, 4, 5}));
  ASSERT_EQ(batch.inputs.sizes(), batch.targets.sizes());
  for (int i = 0; i < 2; ++i)
    for (int t = 0; t < 4; ++t) {
      EXPECT_TRUE(batch.targets[i][t].equal(at::tensor(targets[i][t], at::kDouble))) << i << " " << t;
      const auto before = t == 0 ? std::vector<double>{0, 0, 1, 0, 0} : targets[i][t - 1];
      EXPECT_TRUE(batch.inputs[i][t].equal(at::tensor(before, at::kDouble))) << i << " " << t;
    }
  EXPECT_EQ(make_stroke_batch(kSequences, 2, at::kFloat, at::kCPU, "test").targets.scalar_type(), at::kFloat);
}

TEST(StrokeBatch, NamesWhatDoesNotEnd) {
  const auto message = [](const std::vector<Offset>& bad) -> std::string {
    try {
      make_stroke_batch(std::vector{kSequences[0], bad}, 2, at::kFloat, at::kCPU, "shoes.store");
      return "no error";
    } catch (const DataError& error) {
      return error.what();
    }
  };
  EXPECT_THAT(message({}), HasSubstr("shoes.store: sequence 1"));
  EXPECT_THAT(message({{1, 1, Pen::touching}}), HasSubstr("shoes.store: sequence 1"));
  EXPECT_THAT(message({{1, 1, Pen::end}, {1, 1, Pen::end}}), HasSubstr("shoes.store: sequence 1"));
  EXPECT_THROW(make_stroke_batch(kSequences, 0, at::kFloat, at::kCPU, "test"), UsageError);
  EXPECT_THROW(make_stroke_batch(kSequences, std::nan(""), at::kFloat, at::kCPU, "test"), UsageError);
}

TEST(ToOffsetLists, KeepsDrawnStepsButNotTheOneThatEnds) {
  const Drawing drawing{at::arange(12, at::kDouble).view({2, 3, 2}),
                        at::tensor({0, 2, 2, 1, 0, 1}, at::kLong).view({2, 3}),
                        at::tensor({2, 3}, at::kLong),
                        {}};
  const auto lists = to_offset_lists(drawing);
  EXPECT_EQ(lists,
            (std::vector<std::vector<Offset>>{{{0, 1, Pen::end}}, {{6, 7, Pen::lifted}, {8, 9, Pen::touching}, {10, 11, Pen::end}}}));
}

}  // namespace
}  // namespace duet
