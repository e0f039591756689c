#include "datasets/synthetic/solid.h"

#include <numbers>

#include "base/error.h"

namespace duet {
namespace {

constexpr double kSameFace = 0.8;  // cosine of the angle up to which neighbouring faces count as one rounded surface

Vec3 centre_of(const Ring& ring) {
  Vec3 sum;
  for (const auto& point : ring) sum = sum + point;
  return sum * (1.0 / static_cast<double>(ring.size()));
}

}  // namespace

int SolidBuilder::add_material(const Material& material) {
  solid_.materials.push_back(material);
  return static_cast<int>(solid_.materials.size()) - 1;
}

void SolidBuilder::add_triangle(const Solid::Corner& a, const Solid::Corner& b, const Solid::Corner& c, Vec3 normal, int material) {
  solid_.triangles.push_back({{a, b, c}, normal, material});
}

void SolidBuilder::loft(const std::vector<Ring>& rings, int material) {
  loft(rings, [material](int, int) { return material; });
}

void SolidBuilder::loft(const std::vector<Ring>& rings, const std::function<int(int row, int column)>& material_of) {
  const int rows = static_cast<int>(rings.size()) - 1, columns = static_cast<int>(rings.front().size());
  DUET_CHECK(rows >= 1 && columns >= 3, "{} rows of {} points", rows + 1, columns);
  std::vector<Vec3> centres;
  for (const auto& ring : rings) centres.push_back(centre_of(ring));

  std::vector<Vec3> normals(static_cast<std::size_t>(rows) * columns);
  const auto normal_at = [&](int row, int column) -> Vec3& {
    return normals[static_cast<std::size_t>(row) * columns + (column + columns) % columns];
  };
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const int next = (column + 1) % columns;
      const auto &a = rings[row][column], &b = rings[row][next], &c = rings[row + 1][next], &d = rings[row + 1][column];
      auto normal = normalised(cross(c - a, d - b));
      const auto outward = (a + b + c + d) * 0.25 - mix(centres[row], centres[row + 1], 0.5);
      if (dot(normal, outward) < 0) normal = normal * -1;
      normal_at(row, column) = normal;
    }
  }
  std::array<Vec3, 2> caps;
  for (const bool end : {false, true}) {
    const auto& ring = end ? rings.back() : rings.front();
    const auto centre = end ? centres.back() : centres.front();
    Vec3 sum;  // Newell's method, about the centre
    for (int i = 0; i < columns; ++i) sum = sum + cross(ring[i] - centre, ring[(i + 1) % columns] - centre);
    auto normal = normalised(sum);
    if (dot(normal, centre - (end ? centres[rows - 1] : centres[1])) < 0) normal = normal * -1;
    caps[end] = normal;
  }

  const auto rounded = [&](Vec3 own, int row, int column) {  // the normal at ring point (row, column) as the face with normal `own` sees it
    Vec3 sum;
    for (const int r : {row - 1, row}) {
      for (const int c : {column - 1, column}) {
        if (r < 0 || r >= rows) continue;
        const auto& other = normal_at(r, c);
        if (dot(other, own) > kSameFace) sum = sum + other;
      }
    }
    return length(sum) > 0 ? normalised(sum) : own;
  };
  double along = 0;
  for (int row = 0; row < rows; ++row) {
    const double next_along = along + length(centres[row + 1] - centres[row]);
    double across = 0;
    for (int column = 0; column < columns; ++column) {
      const int next = (column + 1) % columns;
      const double next_across = across + length(rings[row][next] - rings[row][column]);
      const auto own = normal_at(row, column);
      const int material = material_of(row, column);
      const Solid::Corner a{rings[row][column], rounded(own, row, column), along, across};
      const Solid::Corner b{rings[row][next], rounded(own, row, column + 1), along, next_across};
      const Solid::Corner c{rings[row + 1][next], rounded(own, row + 1, column + 1), next_along, next_across};
      const Solid::Corner d{rings[row + 1][column], rounded(own, row + 1, column), next_along, across};
      add_triangle(a, b, c, own, material);
      add_triangle(a, c, d, own, material);
      across = next_across;

      const auto beside = normal_at(row, column - 1);
      const bool two_materials = material != material_of(row, (column + columns - 1) % columns);
      solid_.edges.push_back({a.position, d.position, own, beside, two_materials || dot(own, beside) < kSameFace, part_});
      const auto before = row > 0 ? normal_at(row - 1, column) : caps[0];
      const bool other_before = row > 0 && material != material_of(row - 1, column);
      solid_.edges.push_back({a.position, b.position, own, before, other_before || dot(own, before) < kSameFace, part_});
      if (row == rows - 1) solid_.edges.push_back({d.position, c.position, own, caps[1], dot(own, caps[1]) < kSameFace, part_});
    }
    along = next_along;
  }
  for (const bool end : {false, true}) {
    const auto& ring = end ? rings.back() : rings.front();
    const auto centre = end ? centres.back() : centres.front();
    const int material = material_of(end ? rows - 1 : 0, 0);
    const auto corner = [&](Vec3 point) {
      const auto offset = point - centre;
      return Solid::Corner{point, caps[end], offset.x + offset.z, offset.y};
    };
    for (int i = 0; i < columns; ++i) add_triangle(corner(centre), corner(ring[i]), corner(ring[(i + 1) % columns]), caps[end], material);
  }
}

void SolidBuilder::box(Vec3 centre, Vec3 half, int material, double lean) {
  const Vec3 up{0, std::sin(lean), std::cos(lean)}, back{0, std::cos(lean), -std::sin(lean)};
  std::vector<Ring> rings;
  for (const double end : {-1.0, 1.0}) {
    Ring ring;
    for (const auto& [x, y] : {std::pair{-1.0, -1.0}, {1.0, -1.0}, {1.0, 1.0}, {-1.0, 1.0}}) {
      ring.push_back(centre + Vec3{x * half.x, 0, 0} + back * (y * half.y) + up * (end * half.z));
    }
    rings.push_back(ring);
  }
  loft(rings, material);
}

void SolidBuilder::bar(const std::vector<Vec3>& path, double radius_first, double radius_last, int sides, int material) {
  std::vector<Ring> rings;
  const int last = static_cast<int>(path.size()) - 1;
  Vec3 side;  // carried along the path, so that the bar does not twist
  for (int i = 0; i <= last; ++i) {
    const auto ahead = normalised(path[std::min(i + 1, last)] - path[std::max(i - 1, 0)]);
    if (i == 0) side = std::abs(ahead.x) < 0.7 ? Vec3{1, 0, 0} : Vec3{0, 1, 0};
    side = normalised(side - ahead * dot(side, ahead));
    const auto other = cross(ahead, side);
    const double radius = radius_first + (radius_last - radius_first) * i / last;
    Ring ring;
    for (int k = 0; k < sides; ++k) {
      const double angle = 2 * std::numbers::pi * (k + 0.5) / sides;
      ring.push_back(path[i] + side * (radius * std::cos(angle)) + other * (radius * std::sin(angle)));
    }
    rings.push_back(ring);
  }
  loft(rings, material);
}

void SolidBuilder::cushion(Vec3 low_centre, double half_x, double half_y, double height, double exponent, double narrowing, double rounding,
                           int material) {
  constexpr int kPoints = 24;
  const auto power = [&](double value) { return std::copysign(std::pow(std::abs(value), 2 / exponent), value); };
  struct Level {
    double z, inset;
  };
  const double lip = std::min(rounding, height / 2);
  const auto levels =
      lip > 0 ? std::vector<Level>{{0, lip}, {lip, 0}, {height - lip, 0}, {height, lip}} : std::vector<Level>{{0, 0}, {height, 0}};
  std::vector<Ring> rings;
  for (const auto& [z, inset] : levels) {
    Ring ring;
    for (int k = 0; k < kPoints; ++k) {
      const double angle = 2 * std::numbers::pi * (k + 0.5) / kPoints;
      const double x = power(std::cos(angle)), y = power(std::sin(angle));
      ring.push_back(low_centre + Vec3{x * (half_x - inset) * (1 - narrowing * (y + 1) / 2), y * (half_y - inset), z});
    }
    rings.push_back(ring);
  }
  loft(rings, material);
}

}  // namespace duet
