#include "trainer/tensors/named_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace duet {
namespace {

using testing::HasSubstr;

NamedTensors pair_of(double a, double b, at::ScalarType type = at::kDouble) {
  return {{"a", at::full({2}, a, type)}, {"b", at::full({3, 1}, b, type)}};
}

double value(const NamedTensor& entry) { return entry.tensor.flatten()[0].item<double>(); }

std::string refusal(const NamedTensors& own, const NamedTensors& other, Match match) {
  try {
    own.copy_from(other, match, "F.safetensors");
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(NamedTensors, AreCopiedByNameInAnyOrderAndBetweenFloatingTypes) {
  auto other = pair_of(1, 2, at::kFloat);
  std::swap(other[0], other[1]);
  const auto own = pair_of(0, 0);
  own.copy_from(other, Match::all, "other");
  EXPECT_EQ(value(own[0]), 1);
  EXPECT_EQ(value(own[1]), 2);
}

TEST(NamedTensors, ParametersThatRequireGradientsAreWrittenToo) {
  const NamedTensors own{{"a", at::zeros({2}).requires_grad_()}};
  own.copy_from({{"a", at::ones({2})}}, Match::all, "other");
  EXPECT_EQ(value(own[0]), 1);
  EXPECT_TRUE(own[0].tensor.is_leaf() && own[0].tensor.requires_grad());
}

TEST(NamedTensors, RefuseOthersInOneWordingNamingSubjectAndTensor) {
  const auto own = pair_of(0, 0);
  const NamedTensors lacks{{"a", at::ones({2})}};
  auto more = pair_of(1, 1), twice = pair_of(1, 1), reshaped = pair_of(1, 1);
  more.push_back({"c", at::ones({1})});
  twice.push_back({"a", at::ones({2})});
  reshaped[1].tensor = at::ones({3});
  EXPECT_EQ(refusal(own, lacks, Match::all), "F.safetensors: 'b' is missing. Was it made by another version of this program?");
  EXPECT_THAT(refusal(own, more, Match::all), HasSubstr("F.safetensors: nothing is called 'c' here."));
  EXPECT_THAT(refusal(own, twice, Match::all), HasSubstr("F.safetensors: 'a' comes twice."));
  EXPECT_THAT(refusal(own, reshaped, Match::all), HasSubstr("F.safetensors: 'b' has shape [3], not [3, 1]."));
}

TEST(NamedTensors, ChangeNothingWhenTheyRefuse) {
  const auto own = pair_of(0, 0);
  EXPECT_NE(refusal(own, {{"a", at::ones({2})}}, Match::all), "accepted");
  EXPECT_EQ(value(own[0]), 0);
}

TEST(NamedTensors, KeepWhatAPartialSourceLacks) {
  const auto own = pair_of(5, 6);
  own.copy_from({{"b", at::ones({3, 1})}}, Match::some, "file");
  EXPECT_EQ(value(own[0]), 5);
  EXPECT_EQ(value(own[1]), 1);
  EXPECT_THAT(refusal(own, {{"c", at::ones({1})}}, Match::some), HasSubstr("'c'"));
}

TEST(NamedTensors, SwapTheirValues) {
  const auto own = pair_of(1, 2), other = pair_of(3, 4);
  own.swap_values(other, "other");
  EXPECT_EQ(value(own[0]), 3);
  EXPECT_EQ(value(own[1]), 4);
  EXPECT_EQ(value(other[0]), 1);
  EXPECT_EQ(value(other[1]), 2);
}

TEST(NamedTensors, ACloneStaysWhenTheOriginalChanges) {
  const auto own = pair_of(1, 2);
  const auto copy = own.clone();
  own[0].tensor.fill_(9);
  EXPECT_EQ(value(copy[0]), 1);
}

TEST(NamedTensors, TheChecksumIsOfTheValuesAlone) {
  const auto own = pair_of(1, 2), same = pair_of(1, 2), other = pair_of(1, 3);
  EXPECT_EQ(own.checksum(), same.checksum());
  EXPECT_NE(own.checksum(), other.checksum());
  const auto strided = NamedTensors{{"a", at::full({2, 4}, 1.0, at::kDouble).select(1, 0)}, own[1]};
  EXPECT_EQ(own.checksum(), strided.checksum());
}

}  // namespace
}  // namespace duet
