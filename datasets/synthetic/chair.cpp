#include <cmath>
#include <numbers>

#include "datasets/synthetic/things.h"

namespace duet {
namespace {

enum Part { kSeat, kBack, kLegs, kStretchers, kArms };
enum class Legs { square, round, sled, pedestal, star, block };
enum class Back { none, panel, slats, rails, cross, frame, upholstered, spindles };

/// Everything that tells one chair from another. Lengths in metres, roughly.
struct Design {
  double width, depth, height, thickness, corner, narrowing, rounding;  // seat
  bool pad;
  Legs legs;
  double leg_radius, taper, splay;
  int stretchers;
  double stretcher_height;
  Back back;
  double back_height, lean, bow, back_share, post_radius, gap;
  int bars;
  bool arched;
  double arch;
  int arms;
  double arm_height, arm_thickness;
  Material frame, seat;
};

Design design(KeyedRandom& random) {
  Design d{};
  d.width = random.uniform(0.38, 0.58) * (random.chance(0.12) ? 1.7 : 1);
  d.depth = random.uniform(0.38, 0.54);
  d.height = random.chance(0.15) ? random.uniform(0.6, 0.75) : random.uniform(0.3, 0.48);
  d.thickness = random.chance(0.35) ? random.uniform(0.08, 0.17) : random.uniform(0.025, 0.06);
  d.corner = random.chance(0.15) ? 2.0 : random.uniform(3.5, 16);
  d.narrowing = random.chance(0.5) ? random.uniform(0, 0.28) : 0;
  d.rounding = random.chance(0.6) ? d.thickness * random.uniform(0.15, 0.45) : 0;
  d.pad = random.chance(0.3);
  d.legs = static_cast<Legs>(choose(random, {4, 4, 1.5, 1, 1.2, 1.3}));
  d.leg_radius = random.uniform(0.013, 0.034);
  d.taper = random.uniform(0.45, 1.05);
  d.splay = random.chance(0.5) ? random.uniform(0, 0.12) : random.uniform(-0.01, 0.02);
  d.stretchers = choose(random, {4, 1.3, 1.3, 1.3});
  d.stretcher_height = random.uniform(0.2, 0.6);
  d.back = static_cast<Back>(choose(random, {0.7, 2, 2, 2, 1, 1.3, 2.2, 1.4}));
  d.back_height = random.uniform(0.26, 0.6);
  d.lean = random.uniform(0.02, 0.32);
  d.bow = random.uniform(0, 0.09);
  d.back_share = random.uniform(0.8, 1.02);
  d.post_radius = random.uniform(0.012, 0.026);
  d.gap = random.uniform(0.05, 0.45);
  d.bars = 2 + static_cast<int>(random.below(5));
  d.arched = random.chance(0.45);
  d.arch = random.uniform(0.04, 0.12);
  d.arms = choose(random, {5, 1.6, 1.4, 1.4});
  d.arm_height = random.uniform(0.15, 0.26);
  d.arm_thickness = random.uniform(0.014, 0.03);
  if (d.back == Back::none) d.arms = 0;
  const bool metal = random.chance(0.3);
  d.frame.colour = wood_colour(random);
  d.seat.colour = cloth_colour(random);
  if (metal) d.frame.colour = Vec3{0.62, 0.63, 0.66} * random.uniform(0.25, 1.25);
  d.frame.texture = metal ? Texture::plain : Texture::wood;
  d.frame.texture_scale = random.uniform(6, 14);
  d.frame.contrast = metal ? 0.02 : random.uniform(0.08, 0.25);
  d.frame.gloss = metal ? 0.5 : random.uniform(0.05, 0.3);
  d.seat.texture = static_cast<Texture>(choose(random, {2, 3, 0, 1}));
  d.seat.texture_scale = random.uniform(12, 40);
  d.seat.contrast = random.uniform(0.05, 0.25);
  d.seat.gloss = random.uniform(0, 0.35);
  if (random.chance(0.4)) d.seat = d.frame;
  return d;
}

/// Builds from the design; z = 0 is the floor, the front looks to −y.
class ChairBuilder {
 public:
  explicit ChairBuilder(const Design& design_of_chair)
      : d_(design_of_chair), frame_(builder_.add_material(d_.frame)), cover_(builder_.add_material(d_.seat)) {}

  Solid build() {
    builder_.begin_part(kSeat);
    seat();
    builder_.begin_part(kLegs);
    legs();
    builder_.begin_part(kBack);
    back();
    builder_.begin_part(kArms);
    arms();
    return builder_.take();
  }

 private:
  double under_seat() const { return d_.height; }
  double over_seat() const { return d_.height + d_.thickness; }
  double half_width_at(double y) const { return d_.width / 2 * (1 - d_.narrowing * (y / d_.depth + 0.5)); }

  void seat() {
    const bool soft = d_.thickness > 0.07;
    builder_.cushion({0, 0, under_seat()}, d_.width / 2, d_.depth / 2, d_.thickness, d_.corner, d_.narrowing, d_.rounding,
                     soft ? cover_ : frame_);
    if (d_.pad && !soft) {
      builder_.cushion({0, -0.01, over_seat()}, d_.width * 0.46, d_.depth * 0.45, 0.045, d_.corner, d_.narrowing, 0.018, cover_);
    }
  }

  Vec3 top_of_leg(int side, bool at_back) const {
    const double inset = d_.corner < 3 ? 0.66 : 0.9;
    const double y = (at_back ? 1 : -1) * d_.depth / 2 * inset;
    return {side * (half_width_at(y) * inset - d_.leg_radius * 0.5), y, under_seat() + d_.thickness * 0.5};
  }

  Vec3 foot(int side, bool at_back) const {
    const auto top = top_of_leg(side, at_back);
    return {top.x + side * d_.splay, top.y + (at_back ? 1 : -1) * d_.splay, 0};
  }

  Vec3 on_leg(int side, bool at_back, double share) const { return mix(foot(side, at_back), top_of_leg(side, at_back), share); }

  void legs() {
    switch (d_.legs) {
      case Legs::square:
      case Legs::round: {
        const bool round = d_.legs == Legs::round;
        for (const bool at_back : {false, true}) {
          for (const int side : {-1, 1}) {
            builder_.bar({top_of_leg(side, at_back), foot(side, at_back)}, d_.leg_radius * (round ? 1 : 1.3),
                         d_.leg_radius * d_.taper * (round ? 1 : 1.3), round ? 10 : 4, frame_);
          }
        }
        builder_.begin_part(kStretchers);
        stretchers();
        break;
      }
      case Legs::sled:
        for (const int side : {-1, 1}) {
          builder_.bar({top_of_leg(side, false), foot(side, false), foot(side, true), top_of_leg(side, true)}, d_.leg_radius * 0.7,
                       d_.leg_radius * 0.7, 8, frame_);
        }
        break;
      case Legs::pedestal: {
        const double foot_radius = d_.width * 0.36;
        builder_.bar({{0, 0, under_seat()}, {0, 0, 0.02}}, d_.leg_radius * 1.3, d_.leg_radius * 1.5, 12, frame_);
        builder_.cushion({0, 0, 0}, foot_radius, foot_radius, 0.03, 2, 0, 0.012, frame_);
        break;
      }
      case Legs::star:
        builder_.bar({{0, 0, under_seat()}, {0, 0, 0.09}}, d_.leg_radius * 1.2, d_.leg_radius * 1.2, 10, frame_);
        for (int k = 0; k < 5; ++k) {
          const double angle = 2 * std::numbers::pi * k / 5 - std::numbers::pi / 2 + 0.2, reach = d_.width * 0.5;
          const Vec3 end{reach * std::cos(angle), reach * std::sin(angle), 0.06};
          builder_.bar({{0, 0, 0.12}, end}, d_.leg_radius * 0.9, d_.leg_radius * 0.7, 6, frame_);
          builder_.bar({end + Vec3{-0.015, 0, -0.03}, end + Vec3{0.015, 0, -0.03}}, 0.03, 0.03, 10, frame_);
        }
        break;
      case Legs::block: {
        const double low = std::min(0.12, d_.height * 0.3);
        builder_.cushion({0, 0, low}, d_.width * 0.49, d_.depth * 0.49, under_seat() - low, std::max(d_.corner, 4.0), d_.narrowing, 0.01,
                         cover_);
        for (const bool at_back : {false, true}) {
          for (const int side : {-1, 1}) {
            const double y = (at_back ? 1 : -1) * d_.depth * 0.4, x = side * half_width_at(y) * 0.82;
            builder_.bar({{x, y, low}, {x + side * d_.splay * 0.3, y, 0}}, 0.028, 0.028 * d_.taper, 8, frame_);
          }
        }
        break;
      }
    }
  }

  void stretchers() {
    const double share = d_.stretcher_height, radius = d_.leg_radius * 0.6;
    if (d_.stretchers == 0) return;
    for (const int side : {-1, 1}) builder_.bar({on_leg(side, false, share), on_leg(side, true, share)}, radius, radius, 6, frame_);
    if (d_.stretchers == 1) {  // an H
      builder_.bar({mix(on_leg(-1, false, share), on_leg(-1, true, share), 0.5), mix(on_leg(1, false, share), on_leg(1, true, share), 0.5)},
                   radius, radius, 6, frame_);
    } else {
      builder_.bar({on_leg(-1, false, share * 0.8), on_leg(1, false, share * 0.8)}, radius, radius, 6, frame_);
      if (d_.stretchers == 3) builder_.bar({on_leg(-1, true, share * 0.8), on_leg(1, true, share * 0.8)}, radius, radius, 6, frame_);
    }
  }

  /// A point of the back: across −1 … 1, up 0 … 1. Leans back and bows round the sitter.
  Vec3 on_back(double across, double up) const {
    const double y = d_.depth / 2 - 0.02, rise = up * d_.back_height;
    return {across * half_width_at(y) * d_.back_share, y + rise * std::tan(d_.lean) - d_.bow * across * across, over_seat() - 0.01 + rise};
  }

  double top_at(double across) const { return d_.arched ? 1 - d_.arch * 2.2 * across * across : 1; }

  /// A curved board between two heights (as functions of across), `half` thick on each side.
  template <typename Low, typename High>
  void board(double from, double to, Low low, High high, double half, int material) {
    constexpr int kSteps = 10;
    std::vector<Ring> rings;
    for (int i = 0; i <= kSteps; ++i) {
      const double across = from + (to - from) * i / kSteps;
      const auto a = on_back(across, low(across)), b = on_back(across, high(across));
      const Vec3 out{0, half, 0};
      rings.push_back({a - out, a + out, b + out, b - out});
    }
    builder_.loft(rings, material);
  }

  void upright(double across, double radius, int sides, double share = 1) {
    std::vector<Vec3> path;
    for (int i = 0; i <= 4; ++i) path.push_back(on_back(across, share * top_at(across) * i / 4));
    builder_.bar(path, radius, radius, sides, frame_);
  }

  void back() {
    const auto top = [&](double across) { return top_at(across); };
    const auto constant = [](double value) { return [value](double) { return value; }; };
    const double post = d_.post_radius, rail = 0.11;
    const auto top_rail = [&] {
      board(
          -1, 1, [&](double across) { return top_at(across) - rail; }, top, post * 0.8, frame_);
    };
    switch (d_.back) {
      case Back::none:
        return;
      case Back::panel:
        board(-1, 1, constant(d_.gap), top, 0.012, frame_);
        if (d_.gap > 0.06) {
          for (const double across : {-0.7, 0.7}) upright(across, post * 0.8, 6, d_.gap + 0.1);
        }
        return;
      case Back::upholstered:
        board(-1, 1, constant(d_.gap * 0.25), top, 0.03 + d_.post_radius, cover_);
        return;
      case Back::frame:
        for (const double across : {-1.0, 1.0}) upright(across, post, 6);
        top_rail();
        board(-0.93, 0.93, constant(d_.gap * 0.5), constant(d_.gap * 0.5 + 0.12), post * 0.6, frame_);
        return;
      case Back::slats:
        for (const double across : {-1.0, 1.0}) upright(across, post, 4);
        top_rail();
        for (int i = 0; i < d_.bars; ++i) {
          const double across = -1 + 2 * (i + 1.0) / (d_.bars + 1), half = 0.42 / (d_.bars + 1);
          board(
              across - half, across + half, constant(0), [&](double at) { return top_at(at) - rail; }, 0.006, frame_);
        }
        return;
      case Back::rails:
        for (const double across : {-1.0, 1.0}) upright(across, post, 4);
        for (int i = 0; i < d_.bars; ++i) {
          const double high = 1 - i * (0.9 - d_.gap * 0.5) / d_.bars, thick = 0.5 * 0.8 / d_.bars;
          board(
              -1, 1, [&, high, thick](double across) { return high * top_at(across) - thick; },
              [&, high](double across) { return high * top_at(across); }, 0.008, frame_);
        }
        return;
      case Back::cross:
        for (const double across : {-1.0, 1.0}) upright(across, post, 6);
        top_rail();
        for (const int side : {-1, 1}) {
          std::vector<Vec3> path;
          for (int i = 0; i <= 5; ++i) path.push_back(on_back(side * (-0.95 + 1.9 * i / 5), 0.08 + (0.82 - rail) * i / 5));
          builder_.bar(path, post * 0.7, post * 0.7, 6, frame_);
        }
        return;
      case Back::spindles: {
        top_rail();
        const int count = d_.bars + 2;
        for (int i = 0; i < count; ++i)
          upright(-0.94 + 1.88 * i / (count - 1), i == 0 || i == count - 1 ? post * 0.9 : post * 0.5, 6, 0.95);
        return;
      }
    }
  }

  void arms() {
    if (d_.arms == 0) return;
    const double z = over_seat() + d_.arm_height, share = std::min(0.9, d_.arm_height / d_.back_height);
    for (const int side : {-1, 1}) {
      const double x_front = side * (half_width_at(-d_.depth / 2) + 0.01), front = -d_.depth * 0.42;
      auto behind = on_back(side * 1.0, share);
      if (d_.arms == 1) {  // a rest on a post
        builder_.bar({behind, {x_front, front, z}}, d_.arm_thickness, d_.arm_thickness, 6, frame_);
        builder_.bar({{x_front, front + 0.03, z}, {x_front, front + 0.05, under_seat()}}, d_.arm_thickness * 0.8, d_.arm_thickness * 0.8, 6,
                     frame_);
      } else if (d_.arms == 2) {  // a bow
        std::vector<Vec3> path;
        for (int i = 0; i <= 8; ++i) {
          const double t = i / 8.0, turn = t * std::numbers::pi / 2;
          path.push_back({behind.x + (x_front - behind.x) * t, behind.y + (front - behind.y) * std::sin(turn),
                          under_seat() + 0.02 + (z - under_seat()) * std::pow(std::cos(turn), 0.6)});
        }
        builder_.bar(path, d_.arm_thickness, d_.arm_thickness, 8, frame_);
      } else {  // a wall
        const double half = 0.03 + d_.arm_thickness, low = d_.legs == Legs::block ? 0.06 : under_seat();
        builder_.box({side * (half_width_at(0) + half * 0.9), 0, (z + low) / 2}, {half, d_.depth * 0.48, (z - low) / 2}, cover_);
      }
    }
  }

  Design d_;
  SolidBuilder builder_;
  int frame_;
  int cover_;
};

}  // namespace

Thing make_chair(KeyedRandom& random) {
  const auto chosen = design(random);
  Viewpoint viewpoint;
  viewpoint.azimuth = (random.chance(0.5) ? 1 : -1) * random.uniform(0.25, 0.85);
  viewpoint.elevation = random.uniform(0.12, 0.42);
  viewpoint.distance = random.uniform(2.5, 5);
  return {ChairBuilder(chosen).build(), viewpoint};
}

}  // namespace duet
