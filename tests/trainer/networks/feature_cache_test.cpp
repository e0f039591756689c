#include "trainer/networks/feature_cache.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

using Rows = std::vector<std::int64_t>;

/// Features of 4 doubles (32 bytes) each; says which rows were asked for, call by call.
struct Computed {
  std::vector<Rows> calls;
  std::function<Tensor(const Rows&)> of(const Tensor& batch) {
    return [this, batch](const Rows& rows) {
      calls.push_back(rows);
      return batch.index_select(0, at::tensor(rows, at::kLong)).sin();
    };
  }
};

std::vector<FeatureCache::Key> keys(std::initializer_list<std::int64_t> records, int source = 1, bool flipped = false) {
  std::vector<FeatureCache::Key> all;
  for (const auto record : records) all.push_back({source, record, flipped});
  return all;
}

Tensor batch_of(std::initializer_list<double> firsts) {
  std::vector<Tensor> rows;
  for (const auto first : firsts) rows.push_back(first + at::arange(4, at::kDouble) / 10);
  return at::stack(rows);
}

TEST(FeatureCache, ComputesWhatIsNotKeptOneByOneAndReturnsRowsInTheBatchsOrder) {
  FeatureCache cache(1 << 20);
  Computed computed;
  const auto first = batch_of({3, 1, 2});
  EXPECT_TRUE(at::equal(cache.get(keys({3, 1, 2}), computed.of(first), true), first.sin()));
  EXPECT_EQ(computed.calls, (std::vector<Rows>{{0}, {1}, {2}}));
  const auto second = batch_of({2, 5, 3});
  EXPECT_TRUE(at::equal(cache.get(keys({2, 5, 3}), computed.of(second), true), second.sin()));
  EXPECT_EQ(computed.calls.size(), 4u) << "only record 5 was new";
  EXPECT_EQ(computed.calls.back(), (Rows{1}));
  EXPECT_EQ(cache.bytes(), 4 * 32);
}

TEST(FeatureCache, ComputesTogetherWhereSingleImagesWouldStarveTheDevice) {
  FeatureCache cache(1 << 20);
  Computed computed;
  cache.get(keys({1}), computed.of(batch_of({1})), false);
  const auto batch = batch_of({4, 1, 3});
  EXPECT_TRUE(at::equal(cache.get(keys({4, 1, 3}), computed.of(batch), false), batch.sin()));
  EXPECT_EQ(computed.calls, (std::vector<Rows>{{0}, {0, 2}}));
}

TEST(FeatureCache, TellsSourcesAndFlipsApart) {
  FeatureCache cache(1 << 20);
  Computed computed;
  const auto plain = batch_of({1}), flipped = batch_of({7}), other = batch_of({9});
  cache.get(keys({1}), computed.of(plain), true);
  EXPECT_TRUE(at::equal(cache.get(keys({1}, 1, true), computed.of(flipped), true), flipped.sin()));
  EXPECT_TRUE(at::equal(cache.get(keys({1}, 2), computed.of(other), true), other.sin()));
  EXPECT_TRUE(at::equal(cache.get(keys({1}), computed.of(other), true), plain.sin())) << "the kept one";
}

TEST(FeatureCache, WhatDoesNotFitIsComputedEachTimeWithTheSameResult) {
  FeatureCache cache(2 * 32 + 31);
  Computed computed;
  const auto batch = batch_of({1, 2, 3});
  for (int time = 0; time < 2; ++time) EXPECT_TRUE(at::equal(cache.get(keys({1, 2, 3}), computed.of(batch), true), batch.sin()));
  EXPECT_EQ(computed.calls, (std::vector<Rows>{{0}, {1}, {2}, {2}}));
  EXPECT_EQ(cache.bytes(), 2 * 32);
}

}  // namespace
}  // namespace duet
