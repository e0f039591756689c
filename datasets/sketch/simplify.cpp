#include "datasets/sketch/simplify.h"

#include <cmath>
#include <utility>
#include <vector>

namespace duet {
namespace {

/// Squared distance of (x, y) from the chord that goes from the origin to (along_x, along_y), times its squared length (where it has one):
/// a whole number, so that 'the farthest point' is no matter of rounding.
double measure_of(double x, double y, double along_x, double along_y, Chord chord) {
  const auto square = [](double a, double b) { return a * a + b * b; };
  const double length = square(along_x, along_y), along = along_x * x + along_y * y;
  if (length == 0) return square(x, y);
  if (chord == Chord::segment && along < 0) return square(x, y) * length;
  if (chord == Chord::segment && along > length) return square(x - along_x, y - along_y) * length;
  const double cross = along_x * y - along_y * x;
  return cross * cross;
}

/// Marks the points of stroke[0 … size−1] that Ramer-Douglas-Peucker keeps. Of equally far points the first is
/// taken. A work list instead of recursion: strokes come from files.
void mark_kept(std::span<const SketchPoint> stroke, double epsilon, Chord chord, std::vector<bool>& kept) {
  kept.assign(stroke.size(), false);
  kept.front() = kept.back() = true;
  std::vector<std::pair<std::size_t, std::size_t>> chords{{0, stroke.size() - 1}};
  while (!chords.empty()) {
    const auto [first, last] = chords.back();
    chords.pop_back();
    const double along_x = stroke[last].x - stroke[first].x, along_y = stroke[last].y - stroke[first].y;
    const double length = along_x * along_x + along_y * along_y;  // squared
    double farthest = 0;
    std::size_t at = first;
    for (std::size_t i = first + 1; i < last; ++i) {
      const double x = stroke[i].x - stroke[first].x, y = stroke[i].y - stroke[first].y;
      const double measure = measure_of(x, y, along_x, along_y, chord);
      if (measure > farthest) {
        farthest = measure;
        at = i;
      }
    }
    if (at == first || !(farthest > epsilon * epsilon * (length == 0 ? 1 : length))) continue;
    kept[at] = true;
    chords.emplace_back(first, at);
    chords.emplace_back(at, last);
  }
}

}  // namespace

Sketch simplify(std::span<const SketchPoint> sketch, double epsilon, Chord chord) {
  Sketch rounded(sketch.begin(), sketch.end());
  for (auto& point : rounded) {
    point.x = std::nearbyint(point.x);
    point.y = std::nearbyint(point.y);
  }
  Sketch simple;
  std::vector<bool> kept;
  for (std::size_t first = 0; first < rounded.size();) {
    std::size_t last = first;
    while (last + 1 < rounded.size() && rounded[last].pen == 0) ++last;
    mark_kept(std::span(rounded).subspan(first, last - first + 1), epsilon, chord, kept);
    for (std::size_t i = first; i <= last; ++i) {
      if (kept[i - first]) simple.push_back({rounded[i].x, rounded[i].y, i == last ? 1.0 : 0.0});
    }
    first = last + 1;
  }
  return simple;
}

}  // namespace duet
