#include "datasets/synthetic/photo.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "datasets/store/store.h"
#include "datasets/synthetic/item.h"
#include "datasets/synthetic/write.h"

namespace duet {
namespace {

TEST(SyntheticPhoto, ShowsAThingInTheMiddleOfALightGround) {
  for (const auto kind : {ItemKind::chair, ItemKind::shoe}) {
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

}  // namespace
}  // namespace duet
