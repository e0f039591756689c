#include "datasets/loader/raster_sampler.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "datasets/sketch/rasterize.h"

namespace duet {

void RasterSampler::prepare(int side) {
  if (side == side_) return;
  side_ = side;
  taps_.clear();
  // In whole numbers, a canvas line being `side` units wide and an output line kCanvasSide, so that no rounding makes a sliver of a tap.
  for (int i = 0; i < side; ++i) {
    const int begin = i * kCanvasSide, end = begin + kCanvasSide;
    Taps taps{begin / side, {}};
    for (int line = taps.first; line * side < end; ++line) {
      const int overlap = std::min(end, (line + 1) * side) - std::max(begin, line * side);
      taps.weights.push_back(static_cast<float>(overlap) / static_cast<float>(kCanvasSide));
    }
    taps_.push_back(std::move(taps));
  }
}

void RasterSampler::draw(std::span<const SketchPoint> sketch, int side, bool dark_on_white, std::span<std::uint8_t> out) {
  DUET_CHECK(side > 0 && side <= 4096 && out.size() == static_cast<std::size_t>(side) * side, "{} bytes for side {}", out.size(), side);
  if (side == kCanvasSide) return rasterize(sketch, {.dark_on_white = dark_on_white}, out);
  prepare(side);
  constexpr auto kSide = static_cast<std::size_t>(kCanvasSide);
  drawing_.resize(kSide * kSide);
  rasterize(sketch, {}, drawing_);

  const auto width = static_cast<std::size_t>(side);
  lines_.assign(kSide * width, 0);
  std::vector<bool> drawn(kSide);
  for (std::size_t y = 0; y < kSide; ++y) {
    const auto* line = drawing_.data() + y * kSide;
    drawn[y] = std::any_of(line, line + kSide, [](auto value) { return value != 0; });  // most lines of a sketch's margin are empty
    if (!drawn[y]) continue;
    for (std::size_t x = 0; x < width; ++x) {
      float sum = 0;
      for (std::size_t k = 0; k < taps_[x].weights.size(); ++k)
        sum += taps_[x].weights[k] * line[static_cast<std::size_t>(taps_[x].first) + k];
      lines_[y * width + x] = sum;
    }
  }
  std::vector<float> sums(width);
  for (std::size_t y = 0; y < width; ++y) {
    std::fill(sums.begin(), sums.end(), 0.f);
    for (std::size_t k = 0; k < taps_[y].weights.size(); ++k) {
      const auto source = static_cast<std::size_t>(taps_[y].first) + k;
      if (!drawn[source]) continue;
      for (std::size_t x = 0; x < width; ++x) sums[x] += taps_[y].weights[k] * lines_[source * width + x];
    }
    for (std::size_t x = 0; x < width; ++x) {
      const auto ink = static_cast<std::uint8_t>(std::lround(std::min(sums[x], 255.f)));
      out[y * width + x] = dark_on_white ? static_cast<std::uint8_t>(255 - ink) : ink;
    }
  }
}

}  // namespace duet
