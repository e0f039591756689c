#include "trainer/kernels/decoder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/trainer/kernels/decoder_case.h"

namespace duet {
namespace {

constexpr std::int64_t kSteps = 5;

Tensor points(std::int64_t photos) {
  KeyedRandom random(5, Purpose::test, 0, 0);
  auto inputs = at::zeros({photos, kSteps, 5}, at::kDouble);
  for (std::int64_t i = 0; i < photos * kSteps; ++i) {
    auto* point = inputs.data_ptr<double>() + i * 5;
    point[0] = random.normal();
    point[1] = random.normal();
    point[2 + random.below(3)] = 1;
  }
  return inputs;
}

Tensor lengths_of(const std::vector<std::int64_t>& lengths) { return at::tensor(lengths, at::kLong); }

using Decoder = Tensor (*)(const DecoderPhotos&, const DecoderState&, const Tensor&, const Tensor&, const DecoderWeights&);

/// A loss that depends on every hidden state in its own way, those behind the ends included.
Tensor loss_of(const Tensor& hidden) {
  const auto slope = at::arange(1, hidden.numel() + 1, hidden.options()).mul(0.7).sin().view_as(hidden);
  return (hidden * slope + 0.5 * hidden.square()).sum();
}

std::vector<std::pair<std::string, Tensor>> leaves(DecoderCase& c) {
  std::vector<std::pair<std::string, Tensor>> all{{"map", c.seen.map},
                                                  {"keys", c.seen.keys},
                                                  {"hidden", c.start.hidden},
                                                  {"cell", c.start.cell},
                                                  {"state_weight", c.weights.state_weight},
                                                  {"state_bias", c.weights.state_bias},
                                                  {"score", c.weights.score},
                                                  {"weight_ih", c.weights.weight_ih},
                                                  {"weight_hh", c.weights.weight_hh},
                                                  {"bias_ih", c.weights.bias_ih},
                                                  {"bias_hh", c.weights.bias_hh}};
  for (auto& [name, tensor] : all) tensor.requires_grad_(true);
  return all;
}

TEST(TeacherForced, ComputesTheDecoderOfThePaper) {
  const DecoderCase c(4);
  const auto inputs = points(4);
  const std::vector<std::int64_t> lengths{3, 5, 1, 4};
  for (const Decoder decoder : {&teacher_forced, &teacher_forced_plain}) {
    const auto hidden = decoder(c.seen, c.start, inputs, lengths_of(lengths), c.weights);
    ASSERT_EQ(hidden.sizes(), at::IntArrayRef({4, kSteps, c.hidden}));
    for (std::int64_t photo = 0; photo < 4; ++photo) {
      LoopDecoder reference(c, photo);
      for (std::int64_t t = 0; t < kSteps; ++t) {
        const auto* point = inputs[photo][t].const_data_ptr<double>();
        const auto& expected = reference.step({point, point + 5});
        for (std::int64_t i = 0; i < c.hidden; ++i)
          ASSERT_NEAR(hidden[photo][t][i].item<double>(), t < lengths[photo] ? expected[i] : 0, 1e-12)
              << "photo " << photo << ", step " << t;
      }
    }
  }
}

TEST(TeacherForced, HasTheGradientOfThePlainOperations) {
  const auto lengths = lengths_of({3, 5, 1, 5});
  DecoderCase own(4), plain(4);
  const auto own_leaves = leaves(own), plain_leaves = leaves(plain);
  loss_of(teacher_forced(own.seen, own.start, points(4), lengths, own.weights)).backward();
  loss_of(teacher_forced_plain(plain.seen, plain.start, points(4), lengths, plain.weights)).backward();
  for (std::size_t i = 0; i < own_leaves.size(); ++i) {
    const auto difference = (own_leaves[i].second.grad() - plain_leaves[i].second.grad()).abs().max().item<double>();
    EXPECT_LT(difference, 1e-11) << own_leaves[i].first;
    EXPECT_GT(plain_leaves[i].second.grad().abs().max().item<double>(), 1e-4) << own_leaves[i].first;
  }
}

TEST(TeacherForced, HasTheGradientOfFiniteDifferences) {
  const auto lengths = lengths_of({2, 4, 5});
  DecoderCase c(3, 4);
  const auto all = leaves(c);
  const auto loss = [&] { return loss_of(teacher_forced(c.seen, c.start, points(3), lengths, c.weights)); };
  loss().backward();
  const at::NoGradGuard guard;
  for (const auto& [name, tensor] : all)
    for (std::int64_t i = 0; i < tensor.numel(); i += 1 + tensor.numel() / 24) {
      auto& value = tensor.data_ptr<double>()[i];
      const double before = value, step = 1e-6;
      value = before + step;
      const double above = loss().item<double>();
      value = before - step;
      const double below = loss().item<double>();
      value = before;
      EXPECT_NEAR(tensor.grad().flatten()[i].item<double>(), (above - below) / (2 * step), 1e-7) << name << " " << i;
    }
}

TEST(TeacherForced, SplitsOverRanksWithoutAChange) {
  const std::vector<std::int64_t> lengths{3, 5, 1, 5, 2, 4};
  DecoderCase whole(6), split(6);
  const auto whole_leaves = leaves(whole), split_leaves = leaves(split);
  const auto inputs = points(6);
  const auto hidden = teacher_forced(whole.seen, whole.start, inputs, lengths_of(lengths), whole.weights);
  hidden.square().sum().backward();
  for (const std::vector<std::int64_t>& rows : {std::vector<std::int64_t>{0, 1, 2, 3}, {4, 5}}) {
    std::vector<std::int64_t> own;
    for (const auto row : rows) own.push_back(lengths[row]);
    const auto index = at::tensor(rows, at::kLong);
    const auto part =
        teacher_forced(split.photos_at(rows), split.start_at(rows), inputs.index_select(0, index), lengths_of(own), split.weights);
    EXPECT_LT((part - hidden.index_select(0, index)).abs().max().item<double>(), 1e-14);
    part.square().sum().backward();
  }
  for (std::size_t i = 0; i < whole_leaves.size(); ++i)
    EXPECT_LT((whole_leaves[i].second.grad() - split_leaves[i].second.grad()).abs().max().item<double>(), 1e-12) << whole_leaves[i].first;
}

TEST(TeacherForced, AgreesWithFloat64InFloat32) {
  DecoderCase wide(5, 40), narrow(5, 40, 1, at::kFloat);
  const auto wide_leaves = leaves(wide), narrow_leaves = leaves(narrow);
  const auto lengths = lengths_of({5, 5, 3, 2, 1});
  const auto exact = teacher_forced(wide.seen, wide.start, points(5), lengths, wide.weights);
  const auto rounded = teacher_forced(narrow.seen, narrow.start, points(5).to(at::kFloat), lengths, narrow.weights);
  EXPECT_LT((exact - rounded).abs().max().item<double>(), 1e-5);
  loss_of(exact).backward();
  loss_of(rounded).backward();
  for (std::size_t i = 0; i < wide_leaves.size(); ++i) {
    const auto& gradient = wide_leaves[i].second.grad();
    EXPECT_LT((gradient - narrow_leaves[i].second.grad()).abs().max().item<double>(), 1e-4 * gradient.abs().max().item<double>() + 1e-6)
        << wide_leaves[i].first;
  }
}

TEST(TeacherForced, LeavesOutTheMapsGradientWhereNobodyAsks) {
  DecoderCase c(2);
  c.weights.score.requires_grad_(true);
  loss_of(teacher_forced(c.seen, c.start, points(2), lengths_of({5, 2}), c.weights)).backward();
  EXPECT_TRUE(c.weights.score.grad().defined());
  EXPECT_FALSE(c.seen.map.grad().defined());
}

TEST(TeacherForced, RefusesLengthsThatDoNotFit) {
  const DecoderCase c(2);
  EXPECT_THROW(teacher_forced(c.seen, c.start, points(2), lengths_of({6, 2}), c.weights), InternalError);
  EXPECT_THROW(teacher_forced(c.seen, c.start, points(2), lengths_of({5, 0}), c.weights), InternalError);
}

}  // namespace
}  // namespace duet
