#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/sketch/rasterize.h"
#include "datasets/sketch/simplify.h"
#include "datasets/store/splits.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/item.h"
#include "datasets/synthetic/write.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

constexpr std::array kKinds{ItemKind::chair, ItemKind::shoe};

TEST(SyntheticItem, IsAPureFunctionOfKindSeedAndIndex) {
  for (const auto kind : kKinds) {
    const auto first = render_item(kind, 5, 17);
    render_item(kind, 5, 18);
    const auto again = render_item(kind, 5, 17);
    EXPECT_EQ(first.photo, again.photo);
    EXPECT_EQ(first.sketch, again.sketch);
    EXPECT_EQ(render_photo(kind, 5, 17), first.photo);
    EXPECT_EQ(render_sketch(kind, 5, 17, 0), first.sketch);
    EXPECT_NE(render_photo(kind, 6, 17), first.photo);
    EXPECT_NE(render_sketch(kind, 5, 17, 1), first.sketch);
  }
  EXPECT_NE(render_photo(ItemKind::chair, 5, 17), render_photo(ItemKind::shoe, 5, 17));
}

TEST(SyntheticItem, IsADifferentThingForEveryIndex) {
  for (const auto kind : kKinds) {
    std::set<std::uint64_t> hashes;
    for (int index = 0; index < 80; ++index) hashes.insert(perceptual_hash(render_photo(kind, 1, index, 128)));
    EXPECT_GE(hashes.size(), 79u) << to_string(kind);
  }
}

TEST(SyntheticPhoto, ShowsAThingInTheMiddleOfALightGround) {
  for (const auto kind : kKinds) {
    for (int index = 0; index < 30; ++index) {
      const auto photo = render_photo(kind, 2, index, 96);
      ASSERT_EQ(std::pair(photo.width, photo.channels), std::pair(96, 3));
      int thing = 0;
      for (int i = 0; i < 96 * 96; ++i) {
        const auto* p = &photo.pixels[3 * i];
        const int x = i % 96, y = i / 96;
        const bool border = x < 2 || y < 2 || x >= 94 || y >= 94;
        if (border) {
          ASSERT_GT(std::min({p[0], p[1], p[2]}), 180) << to_string(kind) << " " << index << " at " << x << ", " << y;
        }
        const auto* ground = &photo.pixels[3 * static_cast<std::size_t>(y) * 96];  // the same row, at the border
        thing += std::abs(p[0] - ground[0]) + std::abs(p[1] - ground[1]) + std::abs(p[2] - ground[2]) > 50;
      }
      EXPECT_GT(thing, 96 * 96 / 100) << to_string(kind) << " " << index << " is hardly there";
      EXPECT_LT(thing, 96 * 96 * 3 / 4) << to_string(kind) << " " << index;
    }
  }
}

TEST(SyntheticSketch, HasTheMeasuresOfHumanOnes) {
  // ChairV2 (docs/method.md §1.2): median 107 points in 10 strokes, the longer side 190 px, centred.
  for (const auto kind : kKinds) {
    std::vector<std::size_t> points, strokes, simplified;
    for (int index = 0; index < 120; ++index) {
      const auto sketch = render_sketch(kind, 3, index, index % 3);
      check_sketch(sketch, "synthetic");
      double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
      std::size_t pens = 0;
      for (const auto& p : sketch) {
        left = std::min(left, p.x), right = std::max(right, p.x), top = std::min(top, p.y), bottom = std::max(bottom, p.y);
        pens += p.pen == 1;
      }
      ASSERT_NEAR(std::max(right - left, bottom - top), 190, 1e-6) << index;
      ASSERT_NEAR((left + right) / 2, 128, 1e-6);
      ASSERT_NEAR((top + bottom) / 2, 128, 1e-6);
      ASSERT_EQ(sketch.back().pen, 1);
      points.push_back(sketch.size());
      strokes.push_back(pens);
      simplified.push_back(simplify(sketch, 3).size());
    }
    const auto at = [](std::vector<std::size_t> values, double share) {
      std::sort(values.begin(), values.end());
      return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
    };
    EXPECT_TRUE(at(points, 0.5) > 85 && at(points, 0.5) < 140) << at(points, 0.5);
    EXPECT_TRUE(at(points, 0) >= 20 && at(points, 1) <= 520) << at(points, 0) << " " << at(points, 1);
    EXPECT_TRUE(at(strokes, 0.5) >= 6 && at(strokes, 0.5) <= 13) << at(strokes, 0.5);
    EXPECT_LE(at(strokes, 1), 16u);
    EXPECT_LE(at(simplified, 0.95), 100u) << "nearly all fit the generator's longest sequence";
  }
}

/// The outlines of a photo on a grid: strong changes of brightness, cut to the thing and brought to the sketch's frame.
std::vector<SketchPoint> edges_of(const Image& photo) {
  std::vector<SketchPoint> edges;
  const auto grey = [&](int x, int y) { return (photo.at(x, y, 0) + photo.at(x, y, 1) + photo.at(x, y, 2)) / 3; };
  for (int y = 1; y + 1 < photo.height; ++y) {
    for (int x = 1; x + 1 < photo.width; ++x) {
      if (std::abs(grey(x + 1, y) - grey(x - 1, y)) + std::abs(grey(x, y + 1) - grey(x, y - 1)) > 60)
        edges.push_back({x + 0.5, y + 0.5, 0});
    }
  }
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const auto& p : edges)
    left = std::min(left, p.x), right = std::max(right, p.x), top = std::min(top, p.y), bottom = std::max(bottom, p.y);
  const double factor = 190 / std::max(right - left, bottom - top);
  for (auto& p : edges) {
    p.x = (p.x - (left + right) / 2) * factor + 128;
    p.y = (p.y - (top + bottom) / 2) * factor + 128;
  }
  return edges;
}

/// Distance from each cell of a 64 × 64 grid over the canvas to the nearest of the points, in cells.
std::vector<double> distance_map(const std::vector<SketchPoint>& points) {
  std::vector<std::pair<int, int>> cells;
  std::set<std::pair<int, int>> seen;
  for (const auto& p : points) seen.emplace(static_cast<int>(p.x / 4), static_cast<int>(p.y / 4));
  cells.assign(seen.begin(), seen.end());
  std::vector<double> map(64 * 64, 1e9);
  for (int i = 0; i < 64 * 64; ++i) {
    for (const auto& [x, y] : cells) map[i] = std::min(map[i], std::hypot(i % 64 - x, i / 64 - y));
  }
  return map;
}

TEST(SyntheticSketch, IsNearestToItsOwnPhoto) {
  // No learning: chamfer distance between the sketch's ink and the photo's edges finds the right one of 30 photos most of the time (chance
  // 3 %).
  for (const auto kind : kKinds) {
    constexpr int kPhotos = 30;
    std::vector<std::vector<double>> photo_maps;
    std::vector<std::vector<SketchPoint>> photo_edges;
    for (int i = 0; i < kPhotos; ++i) {
      photo_edges.push_back(edges_of(render_photo(kind, 4, i)));
      photo_maps.push_back(distance_map(photo_edges.back()));
    }
    int first = 0, in_first_five = 0;
    for (int i = 0; i < kPhotos; ++i) {
      std::vector<std::uint8_t> raster(256 * 256);
      rasterize(render_sketch(kind, 4, i), {}, raster);
      std::vector<SketchPoint> ink;
      for (int k = 0; k < 256 * 256; ++k) {
        if (raster[k] == 255) ink.push_back({k % 256 + 0.5, k / 256 + 0.5, 0});
      }
      const auto sketch_map = distance_map(ink);
      const auto mean_over = [](const std::vector<SketchPoint>& points, const std::vector<double>& map) {
        double sum = 0;
        for (const auto& p : points)
          sum += map[std::clamp(static_cast<int>(p.y / 4), 0, 63) * 64 + std::clamp(static_cast<int>(p.x / 4), 0, 63)];
        return sum / static_cast<double>(points.size());
      };
      std::vector<double> distance;
      for (int j = 0; j < kPhotos; ++j) distance.push_back(mean_over(ink, photo_maps[j]) + mean_over(photo_edges[j], sketch_map));
      const auto better = std::count_if(distance.begin(), distance.end(), [&](double d) { return d < distance[i]; });
      first += better == 0;
      in_first_five += better < 5;
    }
    RecordProperty("first_" + to_string(kind), first);
    EXPECT_GE(first, 15) << to_string(kind) << ": " << first << " of 30 found first";
    EXPECT_GE(in_first_five, 24) << to_string(kind) << ": " << in_first_five << " of 30 among the first five";
  }
}

TEST(ItemKind, IsNamed) {
  for (const auto kind : kKinds) EXPECT_EQ(item_kind(to_string(kind)), kind);
  try {
    item_kind("table");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'table'"));
  }
}

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
