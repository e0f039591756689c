#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "datasets/synthetic/solid.h"

namespace duet {

/// Where a thing is looked at from.
struct Viewpoint {
  double azimuth = 0;    ///< radians; 0 is the front, positive from the right
  double elevation = 0;  ///< radians above the horizon
  double distance = 5;   ///< from the middle of the thing, in its sizes
};

/// A point of the picture. `nearness` is 1 / distance from the camera: it is linear in the picture, and larger is nearer.
struct Projected {
  double x, y, nearness;
};

/// Perspective from a viewpoint, fitted so that the solid's bounding box in the picture is centred at (centre_x, centre_y), with its longer
/// side `extent` pixels.
class View {
 public:
  View(const Solid& solid, const Viewpoint& viewpoint, double centre_x, double centre_y, double extent);

  Projected project(Vec3 point) const;
  bool faces_camera(Vec3 point, Vec3 normal) const { return dot(normal, camera_ - point) > 0; }
  Vec3 to_camera(Vec3 point) const { return normalised(camera_ - point); }

 private:
  Projected project_unfitted(Vec3 point) const;

  Vec3 camera_, forward_, right_, up_;
  double scale_ = 1, shift_x_ = 0, shift_y_ = 0;
};

/// The depth of what is seen, one sample in the middle of each pixel; 0 where nothing is.
class DepthMap {
 public:
  DepthMap(const Solid& solid, const View& view, int side);

  /// Whether a point on an edge can be seen. Takes the farthest of the nine samples around, since an edge lies between samples by nature.
  bool visible(const Projected& point) const;

 private:
  int side_;
  std::vector<float> nearness_;
};

/// Calls `shade(pixel index, nearness, weight of corner 0, 1,
/// 2)` for every pixel of a side × side picture whose middle lies in the triangle.
template <typename Shade>
void fill_triangle(const Projected& a, const Projected& b, const Projected& c, int side, Shade shade) {
  const double area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  if (std::abs(area) < 1e-9) return;
  const auto low = [&](double p, double q, double r) { return std::max(0, static_cast<int>(std::ceil(std::min({p, q, r}) - 0.5))); };
  const auto high = [&](double p, double q, double r) {
    return std::min(side - 1, static_cast<int>(std::floor(std::max({p, q, r}) - 0.5)));
  };
  const int x_low = low(a.x, b.x, c.x), x_high = high(a.x, b.x, c.x), y_low = low(a.y, b.y, c.y), y_high = high(a.y, b.y, c.y);
  const float step_a = static_cast<float>((b.y - c.y) / area), step_b = static_cast<float>((c.y - a.y) / area);
  const auto near_a = static_cast<float>(a.nearness), near_b = static_cast<float>(b.nearness), near_c = static_cast<float>(c.nearness);
  for (int y = y_low; y <= y_high; ++y) {
    const double px = x_low + 0.5, py = y + 0.5;
    const float first_a = static_cast<float>(((b.x - px) * (c.y - py) - (b.y - py) * (c.x - px)) / area);
    const float first_b = static_cast<float>(((c.x - px) * (a.y - py) - (c.y - py) * (a.x - px)) / area);
    // Each weight is linear along the row: cut the row to where all three are positive, so that long thin triangles cost what they cover.
    float from = 0, to = static_cast<float>(x_high - x_low);
    const auto cut = [&](float first, float step) {
      if (step > 0) from = std::max(from, -first / step);
      if (step < 0) to = std::min(to, -first / step);
      if (step == 0 && first < 0) to = -1;
    };
    cut(first_a, step_a);
    cut(first_b, step_b);
    cut(1 - first_a - first_b, -step_a - step_b);
    if (!(from <= to)) continue;
    const int last = static_cast<int>(to);
    for (int i = static_cast<int>(std::ceil(from)); i <= last; ++i) {
      const float weight_a = first_a + step_a * static_cast<float>(i), weight_b = first_b + step_b * static_cast<float>(i);
      const float weight_c = 1 - weight_a - weight_b;
      shade(static_cast<std::size_t>(y) * side + x_low + i, weight_a * near_a + weight_b * near_b + weight_c * near_c, weight_a, weight_b,
            weight_c);
    }
  }
}

}  // namespace duet
