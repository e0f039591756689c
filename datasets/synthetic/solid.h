#pragma once
#include <array>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

namespace duet {

/// A point or direction: x to the right, y away from the viewer, z up; about one unit is the thing's size.
struct Vec3 {
  double x = 0, y = 0, z = 0;
};

inline Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 operator*(Vec3 a, double s) { return {a.x * s, a.y * s, a.z * s}; }
inline double dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
inline double length(Vec3 a) { return std::sqrt(dot(a, a)); }
inline Vec3 normalised(Vec3 a) {
  const double size = length(a);
  return size > 0 ? a * (1 / size) : a;
}
inline Vec3 mix(Vec3 a, Vec3 b, double t) { return a + (b - a) * t; }

enum class Texture { plain, cloth, wood, stripes };

/// What a surface looks like. Colours are 0 … 1.
struct Material {
  Vec3 colour{0.5, 0.5, 0.5};
  Texture texture = Texture::plain;
  double texture_scale = 10;  ///< repeats a unit
  double contrast = 0.1;
  double gloss = 0.1;
};

/// Polygons with closed outsides, and the edges along which a person might draw a line.
struct Solid {
  struct Corner {
    Vec3 position;
    Vec3 normal;  ///< rounded over neighbouring faces unless they meet at an edge
    double u, v;  ///< for the texture: along and across
  };
  struct Triangle {
    std::array<Corner, 3> corners;
    Vec3 normal;
    int material;
  };
  struct Edge {
    Vec3 from, to;
    Vec3 normal_left, normal_right;  ///< of the two faces that meet here
    bool sharp;                      ///< a crease, or two materials: drawn wherever visible; others only where they are the outline
    int part;
  };
  std::vector<Triangle> triangles;
  std::vector<Edge> edges;
  std::vector<Material> materials;
};

using Ring = std::vector<Vec3>;

/// Builds a solid out of lofts: skins over a row of closed rings of equally many points, ends capped. Everything here is one: boxes, legs,
/// cushions, shoes. Each ring must be star-shaped as seen from its own centre (that is how outside is told from inside).
class SolidBuilder {
 public:
  int add_material(const Material& material);

  /// Lofts that follow belong to this part (parts are drawn one after the other).
  void begin_part(int part) { part_ = part; }

  /// material_of(row, column) is the material of the face between rings row and row + 1, and points column and column + 1.
  void loft(const std::vector<Ring>& rings, const std::function<int(int row, int column)>& material_of);
  void loft(const std::vector<Ring>& rings, int material);

  /// A box with its middle at `centre`; `half` are half its sizes along its own axes, which are turned by `lean` about x (positive: the top
  /// goes back).
  void box(Vec3 centre, Vec3 half, int material, double lean = 0);

  /// A round or square bar along a path; radius changes linearly from the first point to the last.
  void bar(const std::vector<Vec3>& path, double radius_first, double radius_last, int sides, int material);

  /// An upright prism or cushion: a superellipse (exponent 2 is an ellipse, 8 nearly a rectangle), its bottom centred at `low_centre`;
  /// `narrowing` is the share of its width that is lost towards the back; upper and lower edges are rounded by `rounding`.
  void cushion(Vec3 low_centre, double half_x, double half_y, double height, double exponent, double narrowing, double rounding,
               int material);

  Solid take() { return std::move(solid_); }

 private:
  void add_triangle(const Solid::Corner& a, const Solid::Corner& b, const Solid::Corner& c, Vec3 normal, int material);

  Solid solid_;
  int part_ = 0;
};

}  // namespace duet
