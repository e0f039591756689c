#include "datasets/synthetic/drawing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "datasets/sketch/rasterize.h"
#include "datasets/sketch/simplify.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/item.h"
#include "datasets/synthetic/write.h"

namespace duet {
namespace {

TEST(SyntheticSketch, HasTheMeasuresOfHumanOnes) {
  // ChairV2 (docs/method.md §1.2): median 107 points in 10 strokes, the longer side 190 px, centred.
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) {
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
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) {
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

}  // namespace
}  // namespace duet
