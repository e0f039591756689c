#include "trainer/data/streams.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/trainer/tiny_config.h"
#include "trainer/data/training_data.h"

namespace duet {
namespace {

using TinyData = TinyDataIn<FilledFolder>;
const auto* const kData = testing::AddGlobalTestEnvironment(new TinyData);

TEST(Streams, PseudoPhotosAreDarkOnWhiteWhateverThePolarityOfRasters) {
  const SelfRanks alone;
  for (const auto polarity : {Polarity::white_on_black, Polarity::dark_on_white}) {
    auto config = tiny_config(TinyData::path());
    config.generator.stroke_steps = 1;
    config.run.sketch_polarity = polarity;
    Streams streams(config, alone.ranks(), open_data(config).training);
    auto brightness = [&](StreamName name) {
      const auto rasters = streams.next(name).rasters;
      return std::accumulate(rasters.begin(), rasters.end(), 0.0) / static_cast<double>(rasters.size());
    };
    EXPECT_GT(brightness(StreamName::strokes), 128);
    EXPECT_EQ(brightness(StreamName::retrieval) > 128, polarity == Polarity::dark_on_white);
  }
}

TEST(Streams, AugmentedAndPlainStreamsShowTheSameRows) {
  const SelfRanks alone;
  const auto config = tiny_config(TinyData::path());
  Streams streams(config, alone.ranks(), open_data(config).training);
  for (const auto& [augmented, plain] :
       {std::pair{StreamName::joint_labelled, StreamName::joint_plain}, {StreamName::pool, StreamName::pool_plain}}) {
    for (int step = 0; step < 6; ++step) {
      const auto moved = streams.next(augmented), still = streams.next(plain);
      EXPECT_EQ(moved.record, still.record);
      EXPECT_EQ(moved.photo, still.photo);
      EXPECT_EQ(moved.flipped, still.flipped) << "teacher and student must see the same side";
      EXPECT_NE(moved.photos, still.photos);
    }
  }
}

}  // namespace
}  // namespace duet
