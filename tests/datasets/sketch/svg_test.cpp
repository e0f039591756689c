#include "datasets/sketch/svg.h"

#include <gmock/gmock.h>

#include "datasets/image/image.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/rasterize.h"

namespace duet {
namespace {

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
