#include "datasets/loader/sample_stream.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace duet {
namespace {

TEST(SampleStream, EpochsFollowEachOtherWithoutAGap) {
  const SampleStream stream(3, 10);
  StreamState state{.generation = 4, .epoch = 2, .consumed = 7, .position = 107};
  std::vector<std::int64_t> records;
  for (std::int64_t i = 0; i < 23; ++i) {
    const auto sample = stream.at(state, i);
    EXPECT_EQ(sample.position, 107 + i);
    EXPECT_EQ(sample.epoch, 2 + (7 + i) / 10);
    EXPECT_EQ(sample.record, SampleOrder(3, 4, sample.epoch, 10)[(7 + i) % 10]);
    records.push_back(sample.record);
  }
  std::sort(records.begin() + 3, records.begin() + 13);
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(records[static_cast<std::size_t>(3 + i)], i) << "epoch 3 visits each once";
  EXPECT_EQ(stream.advanced(state, 23), (StreamState{4, 5, 0, 130}));
  EXPECT_EQ(stream.advanced(stream.advanced(state, 5), 18), stream.advanced(state, 23));
  EXPECT_EQ(stream_state_from_json(to_json(state), "test"), state);
  EXPECT_THROW(stream_state_from_json(Json{{"generation", 1}}, "test"), DataError);
}

}  // namespace
}  // namespace duet
