#include "datasets/loader/sample_order.h"

#include <gmock/gmock.h>

#include <set>
#include <unordered_set>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "datasets/loader/sample_stream.h"

namespace duet {
namespace {

TEST(SampleOrder, IsAPermutationForEveryLength) {
  // The shapes make one group, several groups, and blocks that do not divide the length.
  for (const SampleOrder::Shape shape :
       {SampleOrder::Shape{}, SampleOrder::Shape{.block = 7, .group = 3}, SampleOrder::Shape{.block = 1, .group = 5}}) {
    for (std::int64_t length = 1; length <= 2000; ++length) {
      const SampleOrder order(7, 1, 3, length, shape);
      std::vector<bool> seen(static_cast<std::size_t>(length));
      for (std::int64_t i = 0; i < length; ++i) {
        const auto record = order[i];
        ASSERT_TRUE(record >= 0 && record < length) << record << " at length " << length;
        ASSERT_FALSE(seen[static_cast<std::size_t>(record)])
            << "record " << record << " twice at length " << length << ", block " << shape.block;
        seen[static_cast<std::size_t>(record)] = true;
        ASSERT_EQ(order.position_of(record), i) << "length " << length;
      }
    }
  }
}

TEST(SampleOrder, IsAPermutationAtATrillion) {
  constexpr std::int64_t kLength = 1'000'000'000'000;
  for (const std::int64_t length : {kLength, kLength - 1, kLength + 77}) {
    const SampleOrder order(11, 2, 5, length);
    std::unordered_set<std::int64_t> seen;
    for (const std::int64_t begin : {std::int64_t{0}, length / 2, length - 20'000}) {
      for (std::int64_t i = begin; i < begin + 20'000; ++i) {
        const auto record = order[i];
        ASSERT_TRUE(record >= 0 && record < length);
        ASSERT_TRUE(seen.insert(record).second) << "record " << record << " twice";
        ASSERT_EQ(order.position_of(record), i);
      }
    }
    KeyedRandom random(1, Purpose::test, 0, 0);
    for (int i = 0; i < 20'000; ++i) {
      const auto record = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(length)));
      ASSERT_EQ(order[order.position_of(record)], record) << "every record is reached";
    }
  }
}

TEST(SampleOrder, ReadsStayInFewShardsHoweverUnevenTheyAre) {
  constexpr SampleOrder::Shape kShape;
  KeyedRandom random(3, Purpose::test, 0, 0);
  std::vector<std::int64_t> shard_begins;
  std::int64_t length = 0;
  while (shard_begins.size() < 800) {
    shard_begins.push_back(length);
    length += kShape.block + static_cast<std::int64_t>(random.below(random.chance(0.1) ? 5000 : 300));
  }
  const SampleOrder order(5, 1, 0, length);
  std::set<std::size_t> all;
  for (std::int64_t begin = 0; begin + kShape.block * kShape.group <= length; begin += kShape.block * kShape.group) {
    std::set<std::size_t> touched;
    for (std::int64_t i = begin; i < begin + kShape.block * kShape.group; ++i) {
      touched.insert(static_cast<std::size_t>(std::upper_bound(shard_begins.begin(), shard_begins.end(), order[i]) - shard_begins.begin()));
    }
    // A window may lie over two groups, because the short block moves their borders.
    ASSERT_LE(touched.size(), static_cast<std::size_t>(2 * (kShape.group + 1)));
    all.insert(touched.begin(), touched.end());
  }
  EXPECT_GT(all.size(), 700u) << "the order is to wander through the whole store";
}

TEST(SampleOrder, DiffersBySeedGenerationAndEpoch) {
  const auto begin_of = [](std::uint64_t seed, std::int64_t generation, std::int64_t epoch) {
    const SampleOrder order(seed, generation, epoch, 10'000);
    std::vector<std::int64_t> records;
    for (std::int64_t i = 0; i < 50; ++i) records.push_back(order[i]);
    return records;
  };
  const std::set<std::vector<std::int64_t>> orders{begin_of(1, 1, 0), begin_of(2, 1, 0), begin_of(1, 2, 0), begin_of(1, 1, 1),
                                                   begin_of(1, 0, 1)};
  EXPECT_EQ(orders.size(), 5u);
}

TEST(SampleOrder, EveryPlaceIsEquallyLikely) {
  // χ² over (record, position) of 10 records in 4,000 epochs: 100 cells of 400; the 99.99 % point for 81 degrees of freedom is 137.
  constexpr int kEpochs = 4000, kLength = 10;
  std::vector<int> counts(kLength * kLength);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const SampleOrder order(9, 1, epoch, kLength);
    for (int i = 0; i < kLength; ++i) ++counts[static_cast<std::size_t>(order[i]) * kLength + static_cast<std::size_t>(i)];
  }
  double chi_squared = 0;
  for (const auto count : counts)
    chi_squared += (count - kEpochs / kLength) * (count - kEpochs / kLength) / static_cast<double>(kEpochs / kLength);
  EXPECT_LT(chi_squared, 137);
}

TEST(SampleOrder, NeighboursInAGroupAreMixed) {
  const SampleOrder order(4, 1, 0, 4096);
  double correlation = 0;  // of records that follow each other; 0 ± 1/√4096 where the order is random
  for (std::int64_t i = 0; i + 1 < 4096; ++i)
    correlation += (static_cast<double>(order[i]) - 2047.5) * (static_cast<double>(order[i + 1]) - 2047.5);
  EXPECT_LT(std::abs(correlation / (4096.0 * 4096 * 4096 / 12)), 5.0 / 64);
}

TEST(SampleOrder, IsPartOfARunsMeaning) {
  // A run that is resumed by a later version of this program must go on in the same order.
  std::vector<std::int64_t> records;
  for (const std::int64_t length : {1000, 123'457}) {
    const SampleOrder order(7, 1, 3, length);
    for (std::int64_t i = 0; i < 1000; ++i) records.push_back(order[i]);
  }
  EXPECT_EQ(to_hex(checksum(bytes_of(records))), "0ea24d6e6bab080a");
}

}  // namespace
}  // namespace duet
