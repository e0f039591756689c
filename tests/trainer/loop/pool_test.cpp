#include <gmock/gmock.h>

#include "tests/read_events.h"
#include "tests/trainer/loop/tiny_training.h"
#include "trainer/data/training_data.h"

// The pool: photos that must not be trained on, and generations that arrive while a training runs.
namespace duet {
namespace {

class Pool : public TinyTrainings {};

std::set<std::string> ids_of(const StoreView& view, const std::function<bool(std::int64_t)>& wanted) {
  std::set<std::string> ids;
  for (std::int64_t photo = 0; photo < view.photo_count(); ++photo) {
    if (wanted && wanted(photo)) ids.insert(view.photo_info(photo).id);
  }
  return ids;
}

TEST_F(Pool, PhotosThatLookLikeHeldOutOnesAreNeverSeen) {
  const auto tiny = config_with_data("look-alikes");
  const auto pool = Store::open(tiny.data.pool)->view("train");
  std::set<std::string> alike;  // by the definition: perceptual hashes of a held-out photo and of the pool's photo are near each other
  append_to_pool(tiny.data.pool, tiny.data.labelled, 77);
  const auto opened = open_data(tiny);
  const auto& view = *opened.training.pool;
  ASSERT_EQ(view.photo_count(), pool.photo_count() + 13);
  for (const std::string split : {"validation", "test"}) {
    Store::open(tiny.data.labelled)->view(split).for_each_hash([&](std::int64_t, std::uint64_t hash) {
      view.for_each_hash([&](std::int64_t photo, std::uint64_t other) {
        if (hamming_distance(hash, other) <= kLookAlikeDistance) alike.insert(view.photo_info(photo).id);
      });
    });
  }
  EXPECT_THAT(alike, testing::Contains("copied-77"));
  EXPECT_LT(alike.size(), 30u) << "most of the pool should be usable";
  EXPECT_EQ(ids_of(view, opened.training.excluded), alike);
  EXPECT_EQ(opened.look_alikes, static_cast<std::int64_t>(alike.size()));

  const SelfRanks alone;
  Streams streams(tiny, alone.ranks(), opened.training);
  std::set<std::string> seen;
  for (const auto name : {StreamName::pool, StreamName::pool_plain, StreamName::joint_pool}) {
    while (streams.at(name).state().epoch < 2) {
      for (const auto photo : streams.next(name).photo) seen.insert(view.photo_info(photo).id);
    }
  }
  for (const auto& id : alike) EXPECT_FALSE(seen.contains(id)) << id;
  EXPECT_EQ(seen.size() + alike.size(), static_cast<std::size_t>(view.photo_count())) << "all others are used";
}

TEST_F(Pool, AppendedPhotosAreAdoptedAndNoneThatLooksHeldOut) {
  const auto tiny = config_with_data("adopted");
  const SelfRanks alone;
  train(
      tiny, alone.ranks(), {},
      [&](std::int64_t step) {
        if (step == 15) append_to_pool(tiny.data.pool, tiny.data.labelled, 78);
      },
      [&](const Trainer& trainer) {
        const auto& data = trainer.state().streams.data();
        EXPECT_EQ(data.pool->generation(), 2);
        ASSERT_TRUE(data.excluded);
        EXPECT_THAT(ids_of(*data.pool, data.excluded), testing::Contains("copied-78"));
      });
  bool told = false;
  for (const auto& line : read_events(std::filesystem::path(tiny.run.folder) / "metrics.jsonl")) {
    if (!line.contains("pool_generation")) continue;
    told = true;
    EXPECT_EQ(line["pool_generation"], 2);
    EXPECT_EQ(line["pool_photos"], 27 + 13);
  }
  EXPECT_TRUE(told);
}

// What the cache keeps of the pool's photos stays right only if this holds.
TEST_F(Pool, PhotosKeepTheirIndexInNewerGenerations) {
  const auto tiny = config_with_data("indices");
  const auto before = Store::open(tiny.data.pool)->view("train");
  append_to_pool(tiny.data.pool, tiny.data.labelled, 79);
  const auto after = Store::open(tiny.data.pool)->view("train");
  for (std::int64_t photo = 0; photo < before.photo_count(); ++photo) {
    EXPECT_EQ(before.photo_info(photo).id, after.photo_info(photo).id);
  }
}

TEST_F(Pool, AnAdoptedGenerationSurvivesAnyLaterInterruption) {
  const SelfRanks alone;
  // With a checkpoint after every directive, one is written in the very directive that adopts.
  for (const std::int64_t every_steps : {0, 1}) {
    auto outcome_of = [&](const std::string& name, std::int64_t stop) {
      auto tiny = config_with_data(name);
      tiny.checkpoint.every_steps = every_steps;
      std::int64_t adopted_at = -1;
      train(tiny, alone.ranks(), stop > 0 ? std::set<std::int64_t>{stop} : std::set<std::int64_t>{}, [&](std::int64_t step) {
        if (step == 14) append_to_pool(tiny.data.pool, tiny.data.labelled, 80);
      });
      for (const auto& line : read_events(std::filesystem::path(tiny.run.folder) / "metrics.jsonl")) {
        if (line.contains("pool_generation")) adopted_at = line["total_step"].get<std::int64_t>();
      }
      const auto content = content_of(tiny.run.folder);
      std::filesystem::remove_all(tiny.run.folder);
      std::filesystem::remove_all(std::filesystem::path(tiny.data.pool).parent_path());
      return std::pair(content, adopted_at);
    };
    const auto [straight, adopted_at] = outcome_of(fmt::format("straight-{}", every_steps), -1);
    ASSERT_GT(adopted_at, 14);
    ASSERT_LT(adopted_at, kTinySteps - 4);
    for (auto stop = adopted_at; stop < kTinySteps; stop += 3) {
      const auto [content, again] = outcome_of(fmt::format("stopped-{}-{}", every_steps, stop), stop);
      expect_same_content(content, straight, fmt::format("adopted at {}, stopped after step {}", adopted_at, stop));
      EXPECT_EQ(again, adopted_at);
    }
  }
}

}  // namespace
}  // namespace duet
