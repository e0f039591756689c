#include "datasets/sketch/simplify.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "datasets/image/image.h"
#include "datasets/sketch/offsets.h"

namespace duet {
namespace {

/// From p to the nearest point of the chord from a to b, in plain coordinates.
long double distance_from(const SketchPoint& p, const SketchPoint& a, const SketchPoint& b, Chord chord) {
  const long double x = b.x - a.x, y = b.y - a.y, length = x * x + y * y;
  long double share = length == 0 ? 0 : ((p.x - a.x) * x + (p.y - a.y) * y) / length;
  if (chord == Chord::segment) share = std::clamp(share, 0.0L, 1.0L);
  return std::hypot(a.x + share * x - p.x, a.y + share * y - p.y);
}

/// Ramer-Douglas-Peucker as its inventors describe it: recursive.
Sketch textbook(const Sketch& stroke, double epsilon, Chord chord) {
  const auto &a = stroke.front(), &b = stroke.back();
  double farthest = 0;
  std::size_t at = 0;
  for (std::size_t i = 1; i + 1 < stroke.size(); ++i) {
    const auto distance = distance_from(stroke[i], a, b, chord);
    if (distance > farthest + 1e-12) farthest = static_cast<double>(distance), at = i;
  }
  if (farthest <= epsilon + 1e-12) return stroke.size() == 1 ? stroke : Sketch{a, b};
  auto left = textbook(Sketch(stroke.begin(), stroke.begin() + at + 1), epsilon, chord);
  const auto right = textbook(Sketch(stroke.begin() + at, stroke.end()), epsilon, chord);
  left.insert(left.end(), right.begin() + 1, right.end());
  return left;
}

TEST(Simplify, EqualsTheTextbookOnEachStroke) {
  KeyedRandom random(5, Purpose::test, 0, 0);
  for (int trial = 0; trial < 500; ++trial) {
    Sketch sketch, expected;
    const double epsilon = trial % 5;
    const auto chord = trial % 3 == 0 ? Chord::line : Chord::segment;
    for (int s = 0; s < 3; ++s) {
      Sketch stroke;
      double x = random.uniform(30, 220), y = random.uniform(30, 220);
      const auto points = 1 + random.below(30);
      for (std::uint64_t p = 0; p < points; ++p) {
        stroke.push_back({std::nearbyint(x), std::nearbyint(y), 0});
        sketch.push_back({x, y, p + 1 == points ? 1.0 : 0.0});
        x += 6 * random.normal();
        y += 6 * random.normal();
      }
      if (trial % 4 == 0) {  // a closed stroke
        stroke.push_back(stroke.front());
        sketch.back().pen = 0;
        sketch.push_back({stroke.front().x, stroke.front().y, 1});
      }
      for (const auto& point : textbook(stroke, epsilon, chord)) expected.push_back(point);
      expected.back().pen = 1;
    }
    ASSERT_EQ(simplify(sketch, epsilon, chord), expected) << "trial " << trial << ", epsilon " << epsilon;
  }
}

/// What Shapely's simplify() and OpenCV's approxPolyDP() keep of these, and what PyPI's rdp keeps.
TEST(Simplify, KeepsInkBeyondTheEndsOfTheChord) {
  const Sketch returning{{0, 0, 0}, {100, 0, 0}, {50, 0, 1}}, hook{{50, 50, 0}, {8, 51, 0}, {60, 49, 0}, {90, 50, 1}};
  EXPECT_EQ(simplify(returning, 3), returning);
  EXPECT_EQ(simplify(returning, 3, Chord::line), (Sketch{{0, 0, 0}, {50, 0, 1}}));
  EXPECT_EQ(simplify(hook, 3), (Sketch{{50, 50, 0}, {8, 51, 0}, {90, 50, 1}}));
  EXPECT_EQ(simplify(hook, 3, Chord::line), (Sketch{{50, 50, 0}, {90, 50, 1}}));
}

/// With epsilon, no point of the stroke is farther than that from what is kept.
TEST(Simplify, LosesNoInkFartherThanEpsilon) {
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    KeyedRandom random(6, Purpose::test, 0, trial);
    Sketch stroke;
    for (int i = 0; i < 40; ++i)
      stroke.push_back({std::nearbyint(random.uniform(30, 220)), std::nearbyint(random.uniform(30, 220)), i == 39 ? 1.0 : 0.0});
    const auto kept = simplify(stroke, 20);
    for (const auto& point : stroke) {
      long double nearest = 1e9L;
      for (std::size_t i = 1; i < kept.size(); ++i) nearest = std::min(nearest, distance_from(point, kept[i - 1], kept[i], Chord::segment));
      ASSERT_LE(nearest, 20 + 1e-9) << "trial " << trial;
    }
  }
}

TEST(Simplify, RoundsHalfToEvenFirst) { EXPECT_EQ(simplify(Sketch{{0.5, 1.5, 0}, {2.5, 3.5, 1}}, 3), (Sketch{{0, 2, 0}, {2, 4, 1}})); }

TEST(Simplify, ClosesAStrokeThatWasLeftOpen) { EXPECT_EQ(simplify(Sketch{{1, 1, 0}, {9, 1, 0}}, 3), (Sketch{{1, 1, 0}, {9, 1, 1}})); }

}  // namespace
}  // namespace duet
