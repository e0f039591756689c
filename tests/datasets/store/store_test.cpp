#include "datasets/store/store.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <set>
#include <thread>

#include "datasets/store/verify.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Store, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const auto store = Store::open(make_pairs(folder.path(), 50));
  EXPECT_EQ(store->generation(), 1);
  EXPECT_EQ(store->kind(), StoreKind::pairs);
  EXPECT_THAT(store->splits(), ElementsAre("test", "train"));
  EXPECT_GT(store->manifest().shards.size(), 5u) << "the fixture is to make many shards";

  std::set<std::string> seen;
  for (const std::string split : {"train", "test"}) {
    const auto view = store->view(split);
    for (std::int64_t i = 0; i < view.photo_count(); ++i) {
      std::vector<std::byte> bytes;
      const auto read = view.read_photo(i, bytes);
      const auto info = view.photo_info(i);
      const auto number = std::stol(read.id.substr(6));
      EXPECT_EQ(read.id, photo_id(number));
      EXPECT_EQ(bytes, photo_bytes(number));
      EXPECT_EQ(std::tie(info.id, info.split, info.width, info.height, info.hash, info.stored_bytes),
                std::make_tuple(read.id, split, 20, 10, mix(5, static_cast<std::uint64_t>(number)), std::ssize(bytes)));
      EXPECT_EQ(split, number % 4 == 3 ? "test" : "train");
      ASSERT_EQ(info.sketch_count, number % 3);
      for (std::int64_t k = 0; k < info.sketch_count; ++k) {
        const auto sketch = view.read_sketch(info.first_sketch + k);
        EXPECT_EQ(sketch.id, fmt::format("{}_{}", photo_id(number), k));
        EXPECT_EQ(sketch.photo, i);
        EXPECT_EQ(sketch.points, noise_sketch(static_cast<std::uint64_t>(number * 10 + k), 5 + static_cast<int>(k)));
      }
      EXPECT_EQ(view.find_photo(read.id), i);
      seen.insert(read.id);
    }
  }
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_EQ(store->view("all").photo_count(), 50);
  EXPECT_EQ(store->view("train").find_photo(photo_id(3)), std::nullopt) << "photo 3 is in split 'test'";
  const auto all = store->view("all");
  EXPECT_EQ(all.read_sketch(all.find_sketch("photo-0011_1").value()).id, "photo-0011_1");
}

TEST(Store, StreamsHashesInOrder) {
  const TemporaryFolder folder;
  const auto view = Store::open(make_pairs(folder.path(), 40))->view("train");
  std::int64_t expected = 0;
  view.for_each_hash([&](std::int64_t index, std::uint64_t hash) {
    ASSERT_EQ(index, expected++);
    EXPECT_EQ(hash, view.photo_info(index).hash);
  });
  EXPECT_EQ(expected, view.photo_count());
}

TEST(Store, SketchesOfAPhotoAreNeighboursWhateverOrderTheyCameIn) {
  const TemporaryFolder folder;
  auto writer = StoreWriter::create(folder / "s", StoreKind::pairs);
  std::vector<std::int64_t> handles;
  for (int i = 0; i < 4; ++i) handles.push_back(writer.add_photo({photo_id(i), "train", photo_bytes(i), 20, 10, 0}));
  for (int round = 0; round < 3; ++round) {
    for (int i = 3; i >= 0; --i)
      writer.add_sketch({fmt::format("{}_{}", i, round), "", handles[static_cast<std::size_t>(i)], noise_sketch(1, 4)});
  }
  writer.commit({});
  const auto view = Store::open(folder / "s")->view("train");
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto info = view.photo_info(i);
    ASSERT_EQ(info.sketch_count, 3);
    for (int k = 0; k < 3; ++k) EXPECT_EQ(view.read_sketch(info.first_sketch + k).id, fmt::format("{}_{}", i, k));
  }
}

TEST(Store, KeepsStrokesWithoutPhotos) {
  const TemporaryFolder folder;
  auto writer = StoreWriter::create(folder / "s", StoreKind::strokes);
  for (std::uint64_t i = 0; i < 5; ++i) writer.add_sketch({fmt::format("s{}", i), i % 2 == 0 ? "train" : "test", -1, noise_sketch(i, 9)});
  writer.commit({});
  const auto view = Store::open(folder / "s")->view("train");
  ASSERT_EQ(view.sketch_count(), 3);
  EXPECT_EQ(view.read_sketch(1).points, noise_sketch(2, 9));
  EXPECT_EQ(view.read_sketch(1).photo, -1);
}

TEST(Store, ManyThreadsReadTheSame) {
  const TemporaryFolder folder;
  const auto view = Store::open(make_pairs(folder.path(), 200, 1500))->view("all");
  ASSERT_GT(view.store().manifest().shards.size(), Store::kOpenShards / 2);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::byte> bytes;
      for (std::int64_t i = 0; i < 1000; ++i) {
        const auto info = view.read_photo((i * 37 + t * 50) % view.photo_count(), bytes);
        wrong += bytes != photo_bytes(std::stol(info.id.substr(6)));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Store, ClosesTheShardsLongestUnused) {
  const TemporaryFolder folder;
  const auto store = Store::open(make_pairs(folder.path(), 400, 500));
  const auto view = store->view("all");
  ASSERT_GT(store->manifest().shards.size(), 2 * Store::kOpenShards);
  std::vector<std::byte> bytes;
  const auto open_files = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = open_files();
  for (std::int64_t i = 0; i < view.photo_count(); ++i) view.read_photo(i, bytes);
  EXPECT_LE(open_files() - before, static_cast<std::ptrdiff_t>(Store::kOpenShards));
  EXPECT_GT(open_files() - before, 10);
}

TEST(Store, AppendAddsAGenerationAndLeavesTheOldOneAlone) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 30);
  const auto old = Store::open(path);
  const auto files = snapshot(path);
  {
    auto writer = StoreWriter::append(path, 2000);
    add_pairs(writer, 30, 45);
    EXPECT_EQ(Store::newest_generation(path), 1) << "visible before commit";
    const auto manifest = writer.commit({{"source", "more"}});
    EXPECT_EQ(manifest.generation, 2);
    EXPECT_EQ(manifest.provenance.size(), 2u);
  }
  const auto now = Store::open(path);
  EXPECT_EQ(now->generation(), 2);
  EXPECT_EQ(now->view("all").photo_count(), 45);
  EXPECT_EQ(Store::open(path, 1)->view("all").photo_count(), 30);
  const auto before = old->view("train"), after = now->view("train");
  for (std::int64_t i = 0; i < before.photo_count(); ++i)
    ASSERT_EQ(before.photo_info(i).id, after.photo_info(i).id) << "an index changed its meaning";
  for (const auto& [name, content] : files) {
    if (name == "manifest.json" || std::filesystem::is_directory(path / name)) continue;
    EXPECT_EQ(content_of(path / name), content) << name << " was rewritten";
  }
  EXPECT_TRUE(verify_store(path).good());
}

TEST(Store, SameSamplesGiveTheSameFiles) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "a");
  std::filesystem::create_directory(folder / "b");
  EXPECT_EQ(snapshot(make_pairs(folder / "a", 20)), snapshot(make_pairs(folder / "b", 20)));
}

TEST(Store, OffsetScaleIsTheStandardDeviationOverTrainingSketches) {
  const TemporaryFolder folder;
  // Straight-angled, so that simplification keeps every point: offsets (10, 0), (0, 20), (−10, 0) and, in a second generation, (30, 0), (0,
  // −20).
  const Sketch first = {{0, 0, 0}, {10.2, 0, 0}, {10, 20.4, 0}, {0, 20, 1}}, second = {{50, 50, 0}, {80, 50, 0}, {80, 30, 1}};
  auto writer = StoreWriter::create(folder / "s", StoreKind::strokes);
  writer.add_sketch({"a", "train", -1, first});
  writer.add_sketch({"b", "test", -1, second});
  const auto early = writer.commit({});
  const auto deviation = [](const std::vector<double>& values) {
    double mean = 0, sum = 0;
    for (const auto value : values) mean += value / static_cast<double>(values.size());
    for (const auto value : values) sum += (value - mean) * (value - mean);
    return std::sqrt(sum / static_cast<double>(values.size()));
  };
  EXPECT_NEAR(early.offsets.scale().value(), deviation({10, 0, 0, 20, -10, 0}), 1e-9);
  { auto ended = std::move(writer); }
  auto more = StoreWriter::append(folder / "s");
  more.add_sketch({"c", "train", -1, second});
  more.commit({});
  EXPECT_NEAR(Store::open(folder / "s")->manifest().offsets.scale().value(), deviation({10, 0, 0, 20, -10, 0, 30, 0, 0, -20}), 1e-9);
}

TEST(Store, NamesWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputMissing>([&] { Store::open(folder / "none"); }), HasSubstr("none: there is no such store"));
  const auto path = make_pairs(folder.path(), 10);
  EXPECT_THAT(message_of<InputMissing>([&] { Store::open(path, 7); }), HasSubstr("has no generation 7"));
  EXPECT_THAT(message_of<UsageError>([&] { Store::open(path)->view("validation"); }),
              HasSubstr("no split 'validation'; it has test, train"));
  EXPECT_THROW(Store::open(path)->view("all").photo_info(10), InternalError);
}

}  // namespace
}  // namespace duet
