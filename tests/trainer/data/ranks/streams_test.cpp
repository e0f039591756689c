#include "trainer/data/streams.h"

#include <gtest/gtest.h>

#include "tests/trainer/rank_data.h"
#include "trainer/data/training_data.h"

namespace duet {
namespace {

const auto* const kData = testing::AddGlobalTestEnvironment(new TinyData);

template <typename Value>
void append(std::string& text, const std::vector<Value>& values) {
  text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value));
}

/// All that a batch holds, each member by itself, so that the ranks' parts can be put one after the other.
std::vector<std::pair<std::string, std::string>> members_of(const Batch& batch) {
  std::vector<std::pair<std::string, std::string>> members{{"position", {}}, {"epoch", {}},   {"record", {}},  {"photo", {}},
                                                           {"photos", {}},   {"rasters", {}}, {"flipped", {}}, {"sequences", {}}};
  append(members[0].second, batch.position);
  append(members[1].second, batch.epoch);
  append(members[2].second, batch.record);
  append(members[3].second, batch.photo);
  append(members[4].second, batch.photos);
  append(members[5].second, batch.rasters);
  append(members[6].second, batch.flipped);
  for (const auto& sequence : batch.sequences) {
    for (const auto& offset : sequence) append(members[7].second, std::vector<float>{offset.dx, offset.dy, static_cast<float>(offset.pen)});
    members[7].second += '|';
  }
  return members;
}

TEST(OrderOfSamples, TheRanksPartsPutTogetherAreTheBatchOfOneByteForByte) {
  auto config = tiny_config(TinyData::path());
  config.generator.stroke_steps = 100;
  const SelfRanks alone;
  const auto data = open_data(config).training;
  Streams whole(config, alone.ranks(), data), parts(config, world_ranks(), data);
  for (int stream = static_cast<int>(StreamName::strokes); stream <= static_cast<int>(StreamName::warmup_pairs); ++stream) {
    const auto name = static_cast<StreamName>(stream);
    for (int step = 0; step < 8; ++step) {  // more than one epoch of every store
      const auto expected = members_of(whole.next(name)), own = members_of(parts.next(name));
      for (std::size_t member = 0; member < own.size(); ++member) {
        std::string joined;
        for (const auto& part : test_world().data().all_gather_strings(own[member].second)) joined += part;
        ASSERT_TRUE(joined == expected[member].second) << own[member].first << " of batch " << step << " of stream " << stream;
      }
    }
    EXPECT_EQ(to_json(whole.at(name).state()), to_json(parts.at(name).state()));
    EXPECT_GT(whole.at(name).state().epoch, 0) << "stream " << stream << " should have come to its second epoch";
  }
}

}  // namespace
}  // namespace duet
