#include "datasets/import/canvas.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/error.h"

namespace duet {

namespace {

constexpr double kLongerSide = 190;   // of every sketch of ChairV2
constexpr double kMargin = 8;         // pixels by which a pen may leave the canvas
constexpr double kSmallCanvas = 100;  // a sketch of ChairV2 reaches to 223

struct Box {
  explicit Box(const Sketch& sketch) {
    const auto [left_point, right_point] = std::minmax_element(sketch.begin(), sketch.end(), [](auto& a, auto& b) { return a.x < b.x; });
    const auto [top_point, bottom_point] = std::minmax_element(sketch.begin(), sketch.end(), [](auto& a, auto& b) { return a.y < b.y; });
    left = left_point->x, right = right_point->x, top = top_point->y, bottom = bottom_point->y;
  }
  double longer() const { return std::max(right - left, bottom - top); }
  double middle_x() const { return (left + right) / 2; }
  double middle_y() const { return (top + bottom) / 2; }

  double left, right, top, bottom;
};

Sketch added_up(Sketch sketch) {
  double x = 0, y = 0;
  for (auto& point : sketch) {
    point.x = x += point.x;
    point.y = y += point.y;
  }
  return sketch;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A canvas that people choose, where the estimate is close to one.
double usual(double side) {
  constexpr double kSides[] = {28,  32,  48,  64,   96,   100,  128,  400,  480,  500,  512,  600,  640,  720,
                               768, 800, 900, 1000, 1024, 1080, 1200, 1280, 1500, 1600, 1920, 2000, 2048, 4096};
  const double nearest = *std::min_element(std::begin(kSides), std::end(kSides),
                                           [side](double a, double b) { return std::abs(a - side) < std::abs(b - side); });
  return std::abs(nearest - side) <= 0.03 * nearest ? nearest : std::round(side);
}

}  // namespace

SourceCanvas SourceCanvas::from(const std::string& text) {
  if (text == "offsets") return {.kind = Kind::offsets, .said = true};
  if (text == "fit") return {.kind = Kind::fit, .said = true};
  if (text == "unit") return {.side = 1, .said = true};
  double side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || end != text.data() + text.size() || !(side > 0 && side <= kMaxCoordinate))
    throw UsageError("--canvas '{}': is the side of the sketches' canvas in pixels (256, 800 …), or 'unit', 'offsets' or 'fit'.", text);
  return {.side = side, .said = true};
}

bool fit_to_canvas(Sketch& sketch) {
  const Box box(sketch);
  const double scale = kLongerSide / box.longer();
  if (!std::isfinite(scale)) return false;
  for (auto& point : sketch) {
    point.x = (point.x - box.middle_x()) * scale + kCanvasSide / 2.0;
    point.y = (point.y - box.middle_y()) * scale + kCanvasSide / 2.0;
  }
  return true;
}

Sketch onto_canvas(Sketch sketch, const SourceCanvas& canvas) {
  if (canvas.kind == SourceCanvas::Kind::square) {
    if (canvas.side == kCanvasSide) return sketch;
    for (auto& point : sketch) {
      point.x *= kCanvasSide / canvas.side;
      point.y *= kCanvasSide / canvas.side;
    }
  } else {
    if (canvas.kind == SourceCanvas::Kind::offsets) sketch = added_up(std::move(sketch));
    if (!fit_to_canvas(sketch)) throw DataError("all points in one place: nothing is drawn");
  }
  check_sketch(sketch, "sketch on the canvas of 256");
  return sketch;
}

bool looks_like_offsets(const Sketch& sketch) {
  const Box box(sketch);
  const bool both_signs = box.left < 0 && box.right > 0 && box.top < 0 && box.bottom > 0;
  return both_signs && Box(added_up(sketch)).longer() < 3 * box.longer();
}

void CanvasCheck::add(const Sketch& sketch) {
  const Box box(sketch);
  low_.push_back(std::min(box.left, box.top));
  high_.push_back(std::max(box.right, box.bottom));
  side_.push_back(box.longer());
  middle_x_.push_back(box.middle_x());
  middle_y_.push_back(box.middle_y());
  if (sketch.size() < kTellingPoints) return;
  ++telling_;
  offsets_ += looks_like_offsets(sketch) ? 1 : 0;
}

std::string CanvasCheck::finding() const {
  if (low_.empty()) return {};
  const double low = median(low_), high = median(high_), x = median(middle_x_), y = median(middle_y_);
  const auto extent = fmt::format("coordinates from {:.4g} to {:.4g} in the median sketch", low, high);
  if (2 * offsets_ > telling_)
    return fmt::format("offsets from point to point, as sketch-rnn keeps them ({}): `--canvas offsets` adds them up", extent);
  if (low >= -0.1 && high <= 1.5) return fmt::format("a unit square ({}): `--canvas unit` converts them", extent);
  if (low < -kMargin || high <= 1.5)
    return fmt::format(
        "coordinates about an origin in the middle, or offsets ({}): `--canvas fit` puts each drawing into the middle of the canvas, "
        "`--canvas offsets` adds offsets up first",
        extent);
  // Drawings lie about the middle of their canvas.
  const double side = usual(std::max(x + y, high));
  const bool centred = std::abs(x - y) < 0.15 * (x + y) && median(side_) > 0.3 * (x + y);
  if (high > kCanvasSide + kMargin || (high < kSmallCanvas && centred))
    return fmt::format("a canvas of about {:.0f} pixels ({}): `--canvas {:.0f}` converts them", side, extent, side);
  return {};
}

}  // namespace duet
