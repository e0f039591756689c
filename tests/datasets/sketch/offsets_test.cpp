#include "datasets/sketch/offsets.h"

#include <gmock/gmock.h>

#include "datasets/image/image.h"
#include "datasets/sketch/rasterize.h"

namespace duet {
namespace {

using ::testing::ElementsAre;

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

}  // namespace
}  // namespace duet
