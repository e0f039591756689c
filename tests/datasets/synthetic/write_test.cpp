#include "datasets/synthetic/write.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/sketch/rasterize.h"
#include "datasets/store/splits.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/item.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

SynthOptions small(const std::filesystem::path& out) {
  return {.out = out, .seed = 9, .pairs = 11, .test = 4, .sketches_per_photo = 2, .pool = 7, .strokes = 5, .side = 48, .threads = 2};
}

/// Everything in a view, as comparable text.
std::vector<std::string> content(const StoreView& view) {
  std::vector<std::string> all;
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < view.photo_count(); ++i) {
    const auto info = view.photo_info(i);
    view.read_photo(i, bytes);
    all.push_back(info.id + " " + info.split + " " + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  for (std::int64_t i = 0; i < view.sketch_count(); ++i) {
    const auto sketch = view.read_sketch(i);
    all.push_back(sketch.id + " " +
                  std::string(reinterpret_cast<const char*>(sketch.points.data()), sketch.points.size() * sizeof(SketchPoint)));
  }
  return all;
}

TEST(WriteSynthetic, WritesPairsPoolAndStrokes) {
  TemporaryFolder folder;
  std::int64_t calls = 0, last_total = 0;
  write_synthetic(small(folder / "a"), [&](std::int64_t done, std::int64_t total) {
    EXPECT_EQ(done, ++calls);
    last_total = total;
  });
  EXPECT_EQ(calls, 11 + 4 + 7 + 5);
  EXPECT_EQ(last_total, calls);

  const auto pairs = Store::open(folder / "a/pairs.store");
  const auto train = pairs->view("train"), validation = pairs->view("validation"), test = pairs->view("test");
  EXPECT_EQ(validation.photo_count(), 4);
  EXPECT_EQ(train.photo_count(), 7);
  EXPECT_EQ(test.photo_count(), 4);
  EXPECT_EQ(train.sketch_count(), 14);
  EXPECT_EQ(validation.photo_info(1).id, "chair-0000000003");
  const auto sketch = test.read_sketch(3);
  EXPECT_EQ(sketch.id, "chair-test-0000000001_2");
  EXPECT_EQ(test.photo_info(sketch.photo).id, "chair-test-0000000001");

  // The photo in the store is the one that render_photo() makes.
  std::vector<std::byte> bytes;
  validation.read_photo(1, bytes);
  EXPECT_EQ(bytes, encode_jpeg(render_photo(ItemKind::chair, 9, 3, 48), 90));
  EXPECT_EQ(validation.photo_info(1).hash, perceptual_hash(render_photo(ItemKind::chair, 9, 3, 48)));

  const auto pool = Store::open(folder / "a/pool.store"), strokes = Store::open(folder / "a/strokes.store");
  EXPECT_EQ(pool->view("all").photo_count(), 7);
  EXPECT_EQ(pool->view("all").sketch_count(), 0);
  EXPECT_EQ(strokes->view("all").photo_count(), 0);
  EXPECT_EQ(strokes->view("all").sketch_count(), 5);
}

TEST(WriteSynthetic, ValidatesByTheCommonRule) {
  TemporaryFolder folder;
  write_synthetic({.out = folder.path(), .pairs = 10, .test = 0, .sketches_per_photo = 1, .pool = 0, .side = 32});
  std::vector<std::string> ids, splits;
  const auto store = Store::open(folder / "pairs.store");
  for (const auto* split : {"train", "validation"}) {
    const auto view = store->view(split);
    for (std::int64_t i = 0; i < view.photo_count(); ++i) ids.push_back(view.photo_info(i).id), splits.push_back(split);
  }
  EXPECT_EQ(assign_validation(ids), splits);
}

TEST(WriteSynthetic, SamplesDependNeitherOnThreadsNorOnWhatElseIsMade) {
  TemporaryFolder folder;
  auto options = small(folder / "a");
  write_synthetic(options);
  options.out = folder / "b";
  options.threads = 1;
  options.pairs = 3;
  write_synthetic(options);
  for (const auto* store : {"pool.store", "strokes.store"}) {
    EXPECT_EQ(content(Store::open(folder / "a" / store)->view("all")), content(Store::open(folder / "b" / store)->view("all"))) << store;
  }
  const auto a = Store::open(folder / "a/pairs.store"), b = Store::open(folder / "b/pairs.store");
  EXPECT_EQ(content(a->view("test")), content(b->view("test")));
  const auto of_a = content(a->view("train")), of_b = content(b->view("train"));
  EXPECT_EQ(of_a.front(), of_b.front());
}

TEST(WriteSynthetic, RefusesWhatExistsAndLeavesNothingBehind) {
  TemporaryFolder folder;
  auto options = small(folder / "a");
  options.pairs = options.strokes = 0;
  write_synthetic(options);
  EXPECT_FALSE(std::filesystem::exists(folder / "a/pairs.store"));
  options.pairs = 3;
  EXPECT_THROW(write_synthetic(options), CannotCreate);
  EXPECT_THROW(Store::open(folder / "a/pairs.store"), InputMissing) << "not even the part that could have been made";

  options.out = folder / "b";
  EXPECT_THROW(write_synthetic(options,
                               [](std::int64_t done, std::int64_t) {
                                 if (done == 2) throw Interrupted("stopped");
                               }),
               Interrupted);
  EXPECT_THROW(Store::open(folder / "b/pairs.store"), InputMissing);
}

TEST(WriteSynthetic, NamesTheOptionThatIsOutOfRange) {
  TemporaryFolder folder;
  const auto complaint = [&](auto change) {
    auto options = small(folder / "c");
    change(options);
    try {
      write_synthetic(options);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(complaint([](SynthOptions& o) { o.side = 8; }), HasSubstr("side is 8"));
  EXPECT_THAT(complaint([](SynthOptions& o) { o.pool = -1; }), HasSubstr("pool is -1"));
  EXPECT_THAT(complaint([](SynthOptions& o) { o.jpeg_quality = 101; }), HasSubstr("quality is 101"));
  EXPECT_THAT(complaint([](SynthOptions& o) { o.sketches_per_photo = 0; }), HasSubstr("sketches is 0"));
  EXPECT_THAT(complaint([](SynthOptions& o) { o.pairs = o.pool = o.strokes = 0; }), HasSubstr("nothing to make"));
  EXPECT_FALSE(std::filesystem::exists(folder / "c"));
}

}  // namespace
}  // namespace duet
