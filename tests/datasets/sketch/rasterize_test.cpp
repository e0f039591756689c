#include "datasets/sketch/rasterize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace duet {
namespace {

/// docs/method.md §3.9 word for word: a 2-D array, one pixel after the other, then the dilation in a second array.
std::vector<std::uint8_t> slow_reference(const Sketch& sketch, const RasterOptions& options) {
  const long side = options.side;
  std::vector<std::uint8_t> ink(side * side, 0);
  const auto plot = [&](long x, long y) {
    if (0 < x && x < side && 0 < y && y < side) ink[y * side + x] = 1;
  };
  const auto half_to_even = [](double v) {
    const double floor = std::floor(v), rest = v - floor;
    if (rest != 0.5) return static_cast<long>(rest < 0.5 ? floor : floor + 1);
    return static_cast<long>(std::fmod(floor, 2) == 0 ? floor : floor + 1);
  };
  bool first = true;
  long px = 0, py = 0;
  for (const auto& point : sketch) {
    const bool truncate = options.rounding == Rounding::truncate;
    const long x = truncate ? static_cast<long>(point.x) : half_to_even(point.x);
    const long y = truncate ? static_cast<long>(point.y) : half_to_even(point.y);
    if (first) {
      plot(x, y);
    } else {
      const long dx = std::labs(x - px), dy = std::labs(y - py), sx = x > px ? 1 : -1, sy = y > py ? 1 : -1;
      long cx = px, cy = py;
      if (dy >= dx) {
        long decision = 2 * dx - dy;
        for (long k = 0; k <= dy; ++k) {
          plot(cx, cy);
          if (decision >= 0) {
            cx += sx;
            decision -= 2 * dy;
          }
          decision += 2 * dx;
          cy += sy;
        }
      } else {
        long decision = 2 * dy - dx;
        for (long k = 0; k <= dx; ++k) {
          plot(cx, cy);
          if (decision >= 0) {
            cy += sy;
            decision -= 2 * dx;
          }
          decision += 2 * dy;
          cx += sx;
        }
      }
    }
    px = x;
    py = y;
    first = point.pen == 1;
  }
  std::vector<std::uint8_t> out(side * side);
  const auto at = [&](long x, long y) { return x >= 0 && x < side && y >= 0 && y < side && ink[y * side + x]; };
  for (long y = 0; y < side; ++y) {
    for (long x = 0; x < side; ++x) {
      const bool set = at(x, y) || at(x - 1, y) || at(x + 1, y) || at(x, y - 1) || at(x, y + 1);
      out[y * side + x] = set != options.dark_on_white ? 255 : 0;
    }
  }
  return out;
}

std::vector<std::uint8_t> drawn(const Sketch& sketch, const RasterOptions& options = {}) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(options.side) * options.side, 77);
  rasterize(sketch, options, out);
  return out;
}

/// Strokes of 1 to 12 points with steps of about `step`, within `low` … `high` at the start but free to leave.
Sketch random_sketch(KeyedRandom& random, double low, double high, double step, bool whole_numbers) {
  Sketch sketch;
  const auto strokes = 1 + random.below(6);
  for (std::uint64_t s = 0; s < strokes; ++s) {
    double x = random.uniform(low, high), y = random.uniform(low, high);
    const auto points = 1 + random.below(12);
    for (std::uint64_t p = 0; p < points; ++p) {
      if (whole_numbers) x = std::nearbyint(2 * x) / 2, y = std::nearbyint(2 * y) / 2;  // halves too: rounding to even matters
      sketch.push_back({x, y, p + 1 == points ? 1.0 : 0.0});
      if (random.chance(0.2)) continue;  // the same point again
      x += random.normal() * step * (random.chance(0.3) ? 0 : 1);
      y += random.normal() * step * (random.chance(0.3) ? 0 : 1);
    }
  }
  return sketch;
}

TEST(Rasterize, EqualsTheSlowReferenceOnRandomSketches) {
  KeyedRandom random(1, Purpose::test, 0, 0);
  for (int trial = 0; trial < 2400; ++trial) {
    const double spread = trial % 4 == 0 ? 300 : trial % 4 == 1 ? 5 : 40;
    const auto sketch = random_sketch(random, trial % 3 == 0 ? -200 : 0, trial % 3 == 0 ? 456 : 256, spread, trial % 2 == 0);
    const RasterOptions options{.dark_on_white = trial % 5 == 0, .rounding = trial % 7 == 0 ? Rounding::truncate : Rounding::half_to_even};
    ASSERT_EQ(drawn(sketch, options), slow_reference(sketch, options)) << "trial " << trial;
  }
}

TEST(Rasterize, EqualsTheSlowReferenceOnEverySideAroundAWord) {
  KeyedRandom random(2, Purpose::test, 0, 0);
  for (const int side : {1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 96, 100, 127, 128, 129, 255, 256, 257, 320, 511}) {
    for (int trial = 0; trial < 20; ++trial) {
      const auto sketch = random_sketch(random, -10, side + 10, side / 3.0, trial % 2 == 0);
      const RasterOptions options{.side = side, .dark_on_white = trial % 2 == 1};
      ASSERT_EQ(drawn(sketch, options), slow_reference(sketch, options)) << "side " << side << ", trial " << trial;
    }
  }
}

TEST(Rasterize, ClipsLongLinesWithoutMovingAPixel) {
  KeyedRandom random(3, Purpose::test, 0, 0);
  for (int trial = 0; trial < 300; ++trial) {
    const double reach = trial % 3 == 0 ? 1e5 : 3000;
    Sketch sketch;
    for (int i = 0; i < 6; ++i) {
      const bool far = random.chance(0.6);
      sketch.push_back(
          {random.uniform(far ? -reach : 0, far ? reach : 256), random.uniform(far ? -reach : 0, far ? reach : 256), i == 5 ? 1.0 : 0.0});
      if (i > 0 && random.chance(0.2)) sketch.back().y = sketch[i - 1].y;
      if (i > 0 && random.chance(0.2)) sketch.back().x = sketch[i - 1].x;
    }
    ASSERT_EQ(drawn(sketch), slow_reference(sketch, {})) << "trial " << trial;
  }
}

TEST(Rasterize, BorderPixelsFollowTheRule) {
  for (const double a : {-1.0, 0.0, 0.5, 1.0, 1.5, 254.5, 255.0, 255.5, 256.0, 257.0}) {
    for (const double b : {0.0, 1.0, 128.0, 255.0, 256.0}) {
      for (const auto& sketch : {Sketch{{a, b, 1}}, Sketch{{b, a, 1}}, Sketch{{a, b, 0}, {b, a, 1}}, Sketch{{a, a, 0}, {a, b, 1}}}) {
        ASSERT_EQ(drawn(sketch), slow_reference(sketch, {})) << a << ", " << b;
      }
    }
  }
  EXPECT_EQ(drawn({{0, 100, 1}}), std::vector<std::uint8_t>(65536, 0)) << "column 0 is not drawn on";
  EXPECT_EQ(drawn({{1, 100, 1}})[100 * 256], 255) << "but the dilation reaches it";
}

TEST(Rasterize, OnePointIsACrossOfFivePixels) {
  const auto out = drawn({{10, 20, 1}});
  EXPECT_EQ(std::count(out.begin(), out.end(), 255), 5);
  for (const auto& [x, y] : {std::pair{10, 20}, {9, 20}, {11, 20}, {10, 19}, {10, 21}}) EXPECT_EQ(out[y * 256 + x], 255);
}

TEST(Rasterize, RoundsHalfToEvenOrTruncates) {
  EXPECT_EQ(drawn({{10.5, 11.5, 1}}), drawn({{10, 12, 1}}));
  EXPECT_EQ(drawn({{10.9, 11.9, 1}}, {.rounding = Rounding::truncate}), drawn({{10, 11, 1}}));
}

TEST(Rasterize, StrokesAreNotJoined) {
  const auto apart = drawn({{50, 50, 1}, {100, 50, 1}}), joined = drawn({{50, 50, 0}, {100, 50, 1}});
  EXPECT_EQ(std::count(apart.begin(), apart.end(), 255), 10);
  EXPECT_EQ(std::count(joined.begin(), joined.end(), 255), 51 * 3 + 2);
}

TEST(Rasterize, TheFarthestCoordinatesCostNoMoreThanOthers) {
  // 100,000 lines of two million steps each: without clipping this is hours.
  Sketch sketch;
  KeyedRandom random(4, Purpose::test, 0, 0);
  for (std::size_t i = 0; i < kMaxSketchPoints; ++i) sketch.push_back({random.chance(0.5) ? -1e6 : 1e6, random.uniform(-1e6, 1e6), 0});
  check_sketch(sketch, "far");
  const auto out = drawn(sketch);
  EXPECT_GT(std::count(out.begin(), out.end(), 255), 0);
}

TEST(Rasterize, RefusesABufferOfAnotherSize) {
  std::vector<std::uint8_t> out(100);
  EXPECT_THROW(rasterize(Sketch{{1, 1, 1}}, {}, out), InternalError);
}

}  // namespace
}  // namespace duet
