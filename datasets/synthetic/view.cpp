#include "datasets/synthetic/view.h"

#include <limits>

namespace duet {

View::View(const Solid& solid, const Viewpoint& viewpoint, double centre_x, double centre_y, double extent) {
  Vec3 low{1e9, 1e9, 1e9}, high{-1e9, -1e9, -1e9};
  for (const auto& triangle : solid.triangles) {
    for (const auto& corner : triangle.corners) {
      const auto& p = corner.position;
      low = {std::min(low.x, p.x), std::min(low.y, p.y), std::min(low.z, p.z)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y), std::max(high.z, p.z)};
    }
  }
  const auto middle = (low + high) * 0.5;
  const double a = viewpoint.azimuth, e = viewpoint.elevation;
  const Vec3 towards{std::sin(a) * std::cos(e), -std::cos(a) * std::cos(e), std::sin(e)};
  camera_ = middle + towards * (viewpoint.distance * length(high - low));
  forward_ = towards * -1;
  right_ = normalised(cross(forward_, {0, 0, 1}));
  up_ = cross(right_, forward_);

  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const auto& triangle : solid.triangles) {
    for (const auto& corner : triangle.corners) {
      const auto p = project_unfitted(corner.position);
      left = std::min(left, p.x), right = std::max(right, p.x);
      top = std::min(top, p.y), bottom = std::max(bottom, p.y);
    }
  }
  scale_ = extent / std::max(right - left, bottom - top);
  shift_x_ = centre_x - scale_ * (left + right) / 2;
  shift_y_ = centre_y - scale_ * (top + bottom) / 2;
}

Projected View::project_unfitted(Vec3 point) const {
  const auto from_camera = point - camera_;
  const double distance = dot(from_camera, forward_);
  return {dot(from_camera, right_) / distance, -dot(from_camera, up_) / distance, 1 / distance};
}

Projected View::project(Vec3 point) const {
  const auto p = project_unfitted(point);
  return {scale_ * p.x + shift_x_, scale_ * p.y + shift_y_, p.nearness};
}

DepthMap::DepthMap(const Solid& solid, const View& view, int side) : side_(side), nearness_(static_cast<std::size_t>(side) * side, 0.0f) {
  for (const auto& triangle : solid.triangles) {
    const auto& corners = triangle.corners;
    if (!view.faces_camera(corners[0].position, triangle.normal)) continue;
    fill_triangle(view.project(corners[0].position), view.project(corners[1].position), view.project(corners[2].position), side,
                  [&](std::size_t pixel, float nearness, float, float, float) { nearness_[pixel] = std::max(nearness_[pixel], nearness); });
  }
}

bool DepthMap::visible(const Projected& point) const {
  const int x = static_cast<int>(std::floor(point.x)), y = static_cast<int>(std::floor(point.y));
  float farthest = std::numeric_limits<float>::infinity();
  for (int row = std::max(0, y - 1); row <= std::min(side_ - 1, y + 1); ++row) {
    for (int column = std::max(0, x - 1); column <= std::min(side_ - 1, x + 1); ++column) {
      farthest = std::min(farthest, nearness_[static_cast<std::size_t>(row) * side_ + column]);
    }
  }
  return point.nearness * 1.004 >= farthest;  // in a thing of size 1 seen from 5, this is 0.02
}

}  // namespace duet
