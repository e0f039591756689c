#include "datasets/loader/raster_sampler.h"

#include <gmock/gmock.h>

#include "datasets/sketch/rasterize.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

TEST(RasterSampler, IsTheMeanOverAreas) {
  RasterSampler sampler;
  for (const int side : {1, 64, 100, 128, 224, 255, 299, 512}) {
    const auto sketch = noise_sketch(5, 40);
    std::vector<std::uint8_t> drawing(256 * 256), out(static_cast<std::size_t>(side) * side), dark(out.size());
    rasterize(sketch, {}, drawing);
    sampler.draw(sketch, side, false, out);
    sampler.draw(sketch, side, true, dark);
    const double width = 256.0 / side;
    for (int y = 0; y < side; y += 1 + side / 40) {
      for (int x = 0; x < side; x += 1 + side / 40) {
        double sum = 0;
        for (int v = static_cast<int>(y * width); v < 256 && v < (y + 1) * width; ++v) {
          for (int u = static_cast<int>(x * width); u < 256 && u < (x + 1) * width; ++u) {
            const double overlap_y = std::min((y + 1) * width, v + 1.0) - std::max(y * width, v * 1.0);
            const double overlap_x = std::min((x + 1) * width, u + 1.0) - std::max(x * width, u * 1.0);
            sum += overlap_x * overlap_y * drawing[static_cast<std::size_t>(v) * 256 + static_cast<std::size_t>(u)];
          }
        }
        const auto place = static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x);
        ASSERT_NEAR(out[place], sum / (width * width), 0.501) << side << ": " << x << ", " << y;
        ASSERT_EQ(dark[place], 255 - out[place]);
      }
    }
  }
}

TEST(RasterSampler, AtTheCanvasSideIsTheDrawing) {
  const auto sketch = noise_sketch(6, 40);
  std::vector<std::uint8_t> drawing(256 * 256), out(256 * 256);
  for (const bool dark : {false, true}) {
    rasterize(sketch, {.dark_on_white = dark}, drawing);
    RasterSampler().draw(sketch, 256, dark, out);
    EXPECT_EQ(out, drawing);
  }
}

}  // namespace
}  // namespace duet
