#include "datasets/sketch/affine.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/rasterize.h"

namespace duet {
namespace {

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

}  // namespace
}  // namespace duet
