#include "datasets/synthetic/drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

namespace duet {
namespace {

constexpr int kPaper = 224;      // the visible lines are found in a picture of this side ...
constexpr double kExtent = 190;  // ... in which the thing has the size of the sketch
constexpr int kParts = 8;        // more than any thing has
constexpr double kJoin = 1.6;    // ends nearer than this are one place

struct Point {
  double x, y;
};
double squared_distance(Point a, Point b) { return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y); }
double distance(Point a, Point b) { return std::sqrt(squared_distance(a, b)); }

struct Line {
  std::vector<Point> points;
  int part;
};

double length_of(const std::vector<Point>& points) {
  double sum = 0;
  for (std::size_t i = 1; i < points.size(); ++i) sum += distance(points[i - 1], points[i]);
  return sum;
}

/// The visible pieces of all edges that are drawn: creases, and where the surface turns away.
std::vector<Line> visible_pieces(const Solid& solid, const View& view, const DepthMap& depth) {
  std::vector<Line> pieces;
  for (const auto& edge : solid.edges) {
    const bool left = view.faces_camera(edge.from, edge.normal_left), right = view.faces_camera(edge.from, edge.normal_right);
    if (!(edge.sharp ? left || right : left != right)) continue;
    const auto a = view.project(edge.from), b = view.project(edge.to);
    const int steps = std::max(1, static_cast<int>(std::ceil(std::hypot(b.x - a.x, b.y - a.y) / 3)));
    const auto at = [&](double t) {
      return Projected{a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, a.nearness + (b.nearness - a.nearness) * t};
    };
    std::optional<int> seen_since;
    for (int i = 0; i <= steps; ++i) {
      const bool seen = i < steps && depth.visible(at((i + 0.5) / steps));
      if (seen && !seen_since) seen_since = i;
      if (!seen && seen_since) {
        const auto first = at(static_cast<double>(*seen_since) / steps), last = at(static_cast<double>(i) / steps);
        pieces.push_back({{{first.x, first.y}, {last.x, last.y}}, edge.part});
        seen_since.reset();
      }
    }
  }
  return pieces;
}

/// Joins pieces end to end: straight on always, round a corner only within a part and if the hand (`round_corners`) does so.
std::vector<Line> join(std::vector<Line> pieces, double round_corners, KeyedRandom& random) {
  std::vector<Line> lines;
  std::vector<bool> used(pieces.size(), false);
  const auto extend = [&](std::vector<Point>& points, int part) {
    for (;;) {
      const auto end = points.back(), before = points[points.size() - 2];
      const double heading = std::atan2(end.y - before.y, end.x - before.x);
      double smallest = 2.0;  // sharper turns than this are never one stroke
      std::size_t best = pieces.size();
      Point next{};
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (used[i] || pieces[i].part != part) continue;
        for (const bool reversed : {false, true}) {
          const auto &near = reversed ? pieces[i].points.back() : pieces[i].points.front(),
                     &far = reversed ? pieces[i].points.front() : pieces[i].points.back();
          if (squared_distance(near, end) > kJoin * kJoin) continue;
          const double turn = std::abs(std::remainder(std::atan2(far.y - near.y, far.x - near.x) - heading, 2 * std::numbers::pi));
          if (turn < smallest) smallest = turn, best = i, next = far;
        }
      }
      if (best == pieces.size() || (smallest > 0.6 && !random.chance(round_corners))) return;
      used[best] = true;
      if (distance(next, points.back()) > 0.01) points.push_back(next);
    }
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (used[i] || length_of(pieces[i].points) < 0.05) continue;
    used[i] = true;
    auto line = pieces[i];
    extend(line.points, line.part);
    std::reverse(line.points.begin(), line.points.end());
    extend(line.points, line.part);
    lines.push_back(std::move(line));
  }
  return lines;
}

/// Points at equal distances of about `spacing`, ends included.
std::vector<Point> resampled(const std::vector<Point>& points, double spacing) {
  const double total = length_of(points);
  const int pieces = std::max(1, static_cast<int>(std::lround(total / spacing)));
  std::vector<Point> result{points.front()};
  double walked = 0;
  std::size_t i = 1;
  for (int k = 1; k < pieces; ++k) {
    const double target = total * k / pieces;
    while (i + 1 < points.size() && walked + distance(points[i - 1], points[i]) < target) walked += distance(points[i - 1], points[i]), ++i;
    const double step = distance(points[i - 1], points[i]), t = step > 0 ? (target - walked) / step : 0;
    result.push_back({points[i - 1].x + (points[i].x - points[i - 1].x) * t, points[i - 1].y + (points[i].y - points[i - 1].y) * t});
  }
  result.push_back(points.back());
  return result;
}

/// Longest first, leaves out lines (or ends of lines) that run along one already kept: both sides of a thin bar become one stroke.
std::vector<Line> without_doubles(std::vector<Line> lines, double same_line) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return length_of(a.points) > length_of(b.points); });
  std::vector<Line> kept;
  std::vector<Point> ink;
  const auto drawn = [&](Point p) {
    return std::any_of(ink.begin(), ink.end(), [&](Point q) { return squared_distance(p, q) < same_line * same_line; });
  };
  for (const auto& line : lines) {
    const auto fine = resampled(line.points, 3);
    std::vector<bool> is_new;
    for (const auto& point : fine) is_new.push_back(!drawn(point));
    // The longest run of new points, with one old point on each side so that lines still meet.
    std::size_t best_first = 0, best_count = 0;
    for (std::size_t i = 0; i < fine.size();) {
      std::size_t end = i;
      while (end < fine.size() && is_new[end]) ++end;
      if (end - i > best_count) best_first = i, best_count = end - i;
      i = std::max(end, i + 1);
    }
    if (best_count < 2 || best_count * 5 < fine.size()) continue;
    const std::size_t first = best_first > 0 ? best_first - 1 : 0, last = std::min(fine.size(), best_first + best_count + 1);
    Line part{{fine.begin() + static_cast<std::ptrdiff_t>(first), fine.begin() + static_cast<std::ptrdiff_t>(last)}, line.part};
    ink.insert(ink.end(), part.points.begin(), part.points.end());
    kept.push_back(std::move(part));
  }
  return kept;
}

/// What differs from hand to hand, and from drawing to drawing.
struct Hand {
  double tremble, drift, overshoot, points, carelessness, round_corners;
  double same_line;  // lines nearer than this are drawn once
  double shear, squeeze, tilt;

  explicit Hand(KeyedRandom& random)
      : tremble(random.uniform(0.15, 0.6)),
        drift(random.uniform(0.8, 3.2)),
        overshoot(random.uniform(0.5, 4)),
        points(112 * std::exp(0.3 * random.normal())),
        carelessness(random.uniform(0, 0.5)),
        round_corners(random.uniform(0.45, 0.95)),
        same_line(random.uniform(2.6, 6.5)),
        shear(0.035 * random.normal()),
        squeeze(0.045 * random.normal()),
        tilt(0.03 * random.normal()) {}

  Point skewed(Point p) const {
    const double x = p.x - 128, y = p.y - 128;
    const double wide = x * (1 + squeeze) + y * shear, tall = y * (1 - squeeze);
    return {128 + wide * std::cos(tilt) - tall * std::sin(tilt), 128 + wide * std::sin(tilt) + tall * std::cos(tilt)};
  }
};

/// The stroke as the hand makes it: ends off by a little, the whole drifting, points trembling.
std::vector<Point> drawn_by(const Hand& hand, const std::vector<Point>& line, double spacing, KeyedRandom& random) {
  auto points = resampled(line, spacing * random.uniform(0.8, 1.25));
  const double total = length_of(points);
  for (const bool end : {false, true}) {
    auto& tip = end ? points.back() : points.front();
    const auto& inner = end ? points[points.size() - 2] : points[1];
    const double reach = hand.overshoot * random.uniform(-0.6, 1) / std::max(1.0, distance(tip, inner));
    tip = {tip.x + (tip.x - inner.x) * reach, tip.y + (tip.y - inner.y) * reach};
  }
  const Point off{hand.drift * 0.5 * random.normal(), hand.drift * 0.5 * random.normal()};
  const double bend = hand.drift * random.normal() * std::min(1.0, total / 80), phase = random.uniform(0, std::numbers::pi);
  const auto straight = points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto &before = straight[i > 0 ? i - 1 : 0], &after = straight[std::min(i + 1, points.size() - 1)];
    const double dx = after.x - before.x, dy = after.y - before.y, size = std::max(1e-6, std::hypot(dx, dy));
    const double t = static_cast<double>(i) / static_cast<double>(points.size() - 1);
    const double aside = bend * std::sin(phase + t * std::numbers::pi * 1.3) + hand.tremble * random.normal();
    points[i] = hand.skewed({points[i].x + off.x - dy / size * aside, points[i].y + off.y + dx / size * aside});
  }
  return points;
}

/// Longer side 190, centred: as the field's sketches are.
void place(Sketch& sketch) {
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const auto& p : sketch) {
    left = std::min(left, p.x), right = std::max(right, p.x);
    top = std::min(top, p.y), bottom = std::max(bottom, p.y);
  }
  const double longer = std::max(right - left, bottom - top), factor = longer > 0 ? kExtent / longer : 1;
  for (auto& p : sketch) {
    p.x = (p.x - (left + right) / 2) * factor + 128;
    p.y = (p.y - (top + bottom) / 2) * factor + 128;
  }
}

}  // namespace

Sketch draw_sketch(const Thing& thing, KeyedRandom& random) {
  const Hand hand(random);
  const View view(thing.solid, thing.viewpoint, kPaper / 2.0, kPaper / 2.0, kExtent);
  const DepthMap depth(thing.solid, view, kPaper);
  auto lines = without_doubles(join(visible_pieces(thing.solid, view, depth), hand.round_corners, random), hand.same_line);

  // Few people draw everything: some line of every part nearly always, other long ones mostly, short ones rarely,
  // never more than about fifteen.
  std::array<int, kParts> lines_of_part{};
  std::vector<double> importance;
  std::vector<std::size_t> order;
  for (const auto& line : lines) {
    const double size = length_of(line.points);
    const int before = lines_of_part[line.part];
    if (size > 15) ++lines_of_part[line.part];
    const bool first = before == 0;
    const double left_out = first ? 0.02 : size > 60 ? 0.04 : hand.carelessness * (size > 25 ? 0.35 : 0.8);
    order.push_back(importance.size());
    importance.push_back(size < 6 || random.chance(left_out) ? 0 : (first ? size + 100 : size) * std::pow(0.85, before));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return importance[a] > importance[b]; });
  const std::size_t patience = 8 + random.below(7);
  std::vector<Line> chosen;
  for (const std::size_t i : order) {
    if (chosen.empty() || (importance[i] > 0 && chosen.size() < patience)) chosen.push_back(std::move(lines[i]));
  }
  std::array<double, kParts> turn_of_part;
  for (auto& turn : turn_of_part) turn = random.uniform();
  std::stable_sort(chosen.begin(), chosen.end(), [&](const Line& a, const Line& b) { return turn_of_part[a.part] < turn_of_part[b.part]; });

  // People make about as many points for a simple thing as for a rich one.
  double ink = 0;
  for (const auto& line : chosen) ink += length_of(line.points);
  const double spacing = std::clamp(ink / hand.points, 5.0, 18.0);
  Sketch sketch;
  for (auto& line : chosen) {
    if (random.chance(0.3)) std::reverse(line.points.begin(), line.points.end());
    for (const auto& point : drawn_by(hand, line.points, spacing, random)) sketch.push_back({point.x, point.y, 0});
    sketch.back().pen = 1;
  }
  place(sketch);
  return sketch;
}

}  // namespace duet
