#include <gmock/gmock.h>

#include <utility>

#include "datasets/image/image.h"
#include "tests/datasets/image/pictures.h"

namespace duet {
namespace {

TEST(Resize, AveragesWhatFallsTogether) {
  Image board(128, 128, 1);  // a checkerboard of single pixels: without averaging it shrinks to stripes
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) board.at(x, y, 0) = (x + y) % 2 == 0 ? 255 : 0;
  }
  for (const int side : {64, 50, 37, 16}) {
    for (const auto value : resize(board, side, side).pixels) ASSERT_NEAR(value, 127.5, 12) << "to " << side;
  }
}

TEST(Resize, KeepsFlatColoursAndGradients) {
  EXPECT_EQ(resize(Image(50, 30, 3, 199), 77, 12), Image(77, 12, 3, 199));
  EXPECT_LT(mean_difference(resize(picture(200, 150), 100, 75), picture(100, 75)), 1.5);
  EXPECT_LT(mean_difference(resize(picture(100, 75), 200, 150), picture(200, 150)), 1.5);
}

TEST(FitLongestSide, KeepsTheAspectRatioAndNeverEnlarges) {
  const auto wide = fit_longest_side(picture(400, 100), 256);
  EXPECT_EQ(std::pair(wide.width, wide.height), std::pair(256, 64));
  const auto tall = fit_longest_side(picture(10, 3000), 256);
  EXPECT_EQ(std::pair(tall.width, tall.height), std::pair(1, 256));
  EXPECT_EQ(fit_longest_side(picture(200, 256), 256), picture(200, 256));
}

}  // namespace
}  // namespace duet
