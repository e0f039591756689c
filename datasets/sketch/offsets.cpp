#include "datasets/sketch/offsets.h"

#include <algorithm>
#include <limits>

namespace duet {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double extent() const { return high - low; }
  double stretched(double value) const { return extent() > 0 ? (value - low) / extent() * 195 + 30 : 127.5; }
  double centred(double value, double factor) const { return (value - (low + high) / 2) * factor + 128; }
};

}  // namespace

std::vector<Offset> to_offsets(std::span<const SketchPoint> sketch) {
  std::vector<Offset> offsets;
  if (sketch.size() < 2) return offsets;
  offsets.reserve(sketch.size() - 1);
  for (std::size_t i = 1; i < sketch.size(); ++i) {
    offsets.push_back({static_cast<float>(sketch[i].x - sketch[i - 1].x), static_cast<float>(sketch[i].y - sketch[i - 1].y),
                       sketch[i].pen == 1 ? Pen::lifted : Pen::touching});
  }
  offsets.back().pen = Pen::end;
  return offsets;
}

Sketch from_offsets(std::span<const Offset> offsets, double scale, Placement placement) {
  Sketch sketch{{0, 0, 0}};
  sketch.reserve(offsets.size() + 1);
  for (const auto& offset : offsets) {
    const auto& previous = sketch.back();
    sketch.push_back({previous.x + static_cast<double>(offset.dx) * scale, previous.y + static_cast<double>(offset.dy) * scale,
                      offset.pen == Pen::touching ? 0.0 : 1.0});
    if (offset.pen == Pen::end) break;
  }
  sketch.back().pen = 1;

  Range x, y;
  for (const auto& point : sketch) {
    x.include(point.x);
    y.include(point.y);
  }
  const double longer = std::max(x.extent(), y.extent());
  const double factor = longer > 0 ? 190 / longer : 1;
  for (auto& point : sketch) {
    point.x = placement == Placement::centred ? x.centred(point.x, factor) : x.stretched(point.x);
    point.y = placement == Placement::centred ? y.centred(point.y, factor) : y.stretched(point.y);
  }
  return sketch;
}

}  // namespace duet
