#include <algorithm>
#include <cmath>
#include <new>

// The one place where stb's implementation is compiled.
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#include <stb/stb_image_resize.h>

#include "base/error.h"
#include "datasets/image/image.h"

namespace duet {

Image resize(const Image& image, int width, int height) {
  DUET_CHECK(width > 0 && height > 0 && !image.pixels.empty(), "{} x {} to {} x {}", image.width, image.height, width, height);
  if (width == image.width && height == image.height) return image;
  Image resized(width, height, image.channels);
  // stb's default filters, each axis for itself: Mitchell over the whole footprint when shrinking, Catmull-Rom when enlarging.
  if (!stbir_resize_uint8(image.pixels.data(), image.width, image.height, 0, resized.pixels.data(), width, height, 0, image.channels)) {
    throw std::bad_alloc();
  }
  return resized;
}

Image fit_longest_side(const Image& image, int side) {
  const int longest = std::max(image.width, image.height);
  if (longest <= side) return image;
  const double factor = static_cast<double>(side) / longest;
  const auto scaled = [&](int length) { return std::max(1, static_cast<int>(std::lround(length * factor))); };
  return resize(image, scaled(image.width), scaled(image.height));
}

}  // namespace duet
