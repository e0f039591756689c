#include "datasets/sketch/sketch.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/random.h"
#include "datasets/image/image.h"
#include "datasets/sketch/affine.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/rasterize.h"
#include "datasets/sketch/simplify.h"
#include "datasets/sketch/svg.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string complaint(const Sketch& sketch) {
  try {
    check_sketch(sketch, "chair.store, sketch 7");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(CheckSketch, RefusesWhatCannotBeDrawnAndNamesTheSubject) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(complaint({{-3, 300, 1}}), "");
  EXPECT_EQ(complaint({{-1e6, 1e6, 0}}), "");
  for (const auto& bad : {Sketch{}, Sketch{{nan, 0, 1}}, Sketch{{0, nan, 1}}, Sketch{{0, infinite, 1}}, Sketch{{-1.1e6, 0, 1}},
                          Sketch{{0, 0, 0.5}}, Sketch{{0, 0, nan}}, Sketch(kMaxSketchPoints + 1, {1, 1, 0})}) {
    EXPECT_THAT(complaint(bad), StartsWith("chair.store, sketch 7: "));
  }
  EXPECT_THAT(complaint({{1, 1, 0}, {nan, 2, 1}}), AllOf(HasSubstr("point 1"), HasSubstr("nan")));
}

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

TEST(Offsets, AreDifferencesWithThePenOfTheirEnd) {
  const Sketch sketch{{10, 10, 0}, {13, 14, 1}, {50, 20, 0}, {40, 20, 1}};
  EXPECT_THAT(to_offsets(sketch), ElementsAre(Offset{3, 4, Pen::lifted}, Offset{37, 6, Pen::touching}, Offset{-10, 0, Pen::end}));
  EXPECT_TRUE(to_offsets(Sketch{{10, 10, 1}}).empty());
}

TEST(Offsets, OfACentredSketchLeadBackToIt) {
  // Longer side 190, box centred at (128, 128): the place that is lost is found again.
  const Sketch sketch{{33, 100, 0}, {223, 110, 1}, {150, 156, 0}, {60, 140, 1}};
  EXPECT_EQ(from_offsets(to_offsets(sketch), 1, Placement::centred), sketch);
}

TEST(Offsets, CentringScalesTheLongerSideTo190) {
  const std::vector<Offset> offsets{{1, 0, Pen::touching}, {0, 2, Pen::lifted}, {-0.5, 0, Pen::end}};
  const auto placed = from_offsets(offsets, 3, Placement::centred);
  ASSERT_EQ(placed.size(), 4u);
  EXPECT_EQ(placed[0], (SketchPoint{128 - 47.5, 33, 0})) << "the origin belongs to the drawing";
  EXPECT_EQ(placed[1], (SketchPoint{128 + 47.5, 33, 0}));
  EXPECT_EQ(placed[2], (SketchPoint{128 + 47.5, 223, 1}));
  EXPECT_EQ(placed[3], (SketchPoint{128, 223, 1}));
}

TEST(Offsets, StretchingFillsBothAxes) {
  const std::vector<Offset> offsets{{1, 0, Pen::touching}, {0, 2, Pen::end}};
  const auto placed = from_offsets(offsets, 1, Placement::stretched);
  EXPECT_EQ(placed, (Sketch{{30, 30, 0}, {225, 30, 0}, {225, 225, 1}}));
}

TEST(Offsets, WithoutExtentAreADotInTheMiddle) {
  const std::vector<Offset> still{{0, 0, Pen::end}};
  EXPECT_EQ(from_offsets(still, 1, Placement::centred), (Sketch{{128, 128, 0}, {128, 128, 1}}));
  EXPECT_EQ(from_offsets({}, 1, Placement::centred), (Sketch{{128, 128, 1}}));
  const std::vector<Offset> level{{7, 0, Pen::end}};
  EXPECT_EQ(from_offsets(level, 1, Placement::stretched), (Sketch{{30, 127.5, 0}, {225, 127.5, 1}}));
}

TEST(Offsets, NothingIsDrawnAfterTheEnd) {
  const std::vector<Offset> offsets{{1, 1, Pen::end}, {5, 5, Pen::touching}};
  EXPECT_EQ(from_offsets(offsets, 1, Placement::centred).size(), 2u);
}

TEST(Affine, TurnsAboutTheCentreClockwise) {
  const auto moved = transform(Sketch{{128, 28, 0}, {128, 128, 1}}, Affine::about_centre(90, 0.5, 3, -2));
  EXPECT_NEAR(moved[0].x, 128 + 50 + 3, 1e-12);
  EXPECT_NEAR(moved[0].y, 128 - 2, 1e-12);
  EXPECT_NEAR(moved[1].x, 131, 1e-12);
  EXPECT_NEAR(moved[1].y, 126, 1e-12);
  EXPECT_EQ(moved[1].pen, 1);
}

TEST(Affine, InverseUndoesAndAfterChains) {
  const auto a = Affine::about_centre(17, 1.2, 5, -9), b = Affine::mirror();
  const Sketch sketch{{10, 200, 0}, {77, 3, 1}};
  const auto there = transform(sketch, a.after(b));
  const auto stepwise = transform(transform(sketch, b), a);
  const auto back = transform(there, a.after(b).inverse());
  for (std::size_t i = 0; i < sketch.size(); ++i) {
    EXPECT_NEAR(there[i].x, stepwise[i].x, 1e-9);
    EXPECT_NEAR(there[i].y, stepwise[i].y, 1e-9);
    EXPECT_NEAR(back[i].x, sketch[i].x, 1e-9);
    EXPECT_NEAR(back[i].y, sketch[i].y, 1e-9);
  }
  EXPECT_THROW((Affine{.xx = 0, .yy = 0}.inverse()), NumericalError);
}

TEST(Affine, TheMirrorTurnsTheRasterRoundColumn128) {
  KeyedRandom random(6, Purpose::test, 0, 0);
  std::vector<std::uint8_t> plain(65536), mirrored(65536);
  Sketch dots;  // dots: Bresenham lines are not symmetric, rounding is
  for (int i = 0; i < 300; ++i) dots.push_back({std::nearbyint(random.uniform(0, 1020)) / 4, random.uniform(0, 256), 1});
  rasterize(dots, {}, plain);
  rasterize(transform(dots, Affine::mirror()), {}, mirrored);
  for (int y = 0; y < 256; ++y) {
    for (int x = 1; x < 256; ++x) ASSERT_EQ(plain[y * 256 + x], mirrored[y * 256 + 256 - x]) << x << ", " << y;
  }
}

TEST(Svg, HasAPathForEachStrokeAndADotForASinglePoint) {
  const Sketch sketch{{1.234, 2, 0}, {30.5, 4, 1}, {-0.001, 6, 1}, {7, 8, 0}};
  EXPECT_EQ(to_svg(sketch), R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">
<rect width="256" height="256" fill="white"/>
<g fill="none" stroke="black" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">
<path d="M1.23 2L30.5 4"/>
<path d="M0 6h0"/>
<path d="M7 8h0"/>
</g>
</svg>
)");
}

TEST(Png, ShowsWhatRetrievalSees) {
  const Sketch sketch{{20, 20, 0}, {200, 130, 1}};
  const auto image = decode_image(to_png(sketch), {}, "sketch");
  std::vector<std::uint8_t> raster(65536);
  rasterize(sketch, {}, raster);
  ASSERT_EQ(image.width, 256);
  for (std::size_t i = 0; i < raster.size(); ++i) ASSERT_EQ(image.pixels[3 * i], raster[i]);
}

}  // namespace
}  // namespace duet
