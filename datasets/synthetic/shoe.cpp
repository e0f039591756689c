#include <algorithm>
#include <cmath>
#include <numbers>

#include "datasets/synthetic/things.h"

namespace duet {
namespace {

enum Part { kUpper, kSole, kHeel, kShaft, kLaces, kStraps };
enum class Style { sneaker, high_top, ankle_boot, tall_boot, pump, loafer, mary_jane, sandal };
enum class Heel { flat, block, stiletto, wedge };

/// Everything that tells one shoe from another. The length is 1; t goes from the heel (0) to the toe (1).
struct Design {
  Style style;
  Heel heel;
  double heel_height, heel_size, heel_taper, platform, sole, spring;
  double heel_width, waist, ball, ball_at, toe_power, toe_height, instep;
  double collar, vamp, topline;
  double shaft_height, shaft_girth, shaft_flare, shaft_lean;
  int laces;
  double lace_from, lace_to;
  int straps;
  double strap_at, strap_width;
  double cap_from, counter_to, stripe_at, stripe_width;
  bool cap, counter, stripe, cuff;
  Material upper, second, under, inside, lace;
};

Design design(KeyedRandom& random) {
  Design d{};
  d.style = static_cast<Style>(choose(random, {3, 1.2, 1.6, 1.4, 2, 1.6, 1.2, 1.2}));
  const bool sport = d.style == Style::sneaker || d.style == Style::high_top;
  d.heel = sport ? Heel::flat
                 : static_cast<Heel>(d.style == Style::pump ? choose(random, {0.6, 2, 2.5, 0.8}) : choose(random, {2.5, 2, 0.7, 1}));
  const double raised = random.uniform(0.1, 0.34);
  d.heel_height = d.heel == Heel::flat ? random.uniform(0, 0.05) : d.heel == Heel::stiletto ? raised + 0.06 : raised * 0.85;
  d.heel_size = random.uniform(0.16, 0.27);
  d.heel_taper = d.heel == Heel::stiletto ? random.uniform(0.12, 0.25) : random.uniform(0.6, 1.1);
  d.platform = random.chance(0.25) ? random.uniform(0.03, 0.1) : 0;
  d.sole = sport ? random.uniform(0.035, 0.1) : random.uniform(0.015, 0.05);
  d.spring = random.uniform(0, 0.07);
  d.heel_width = random.uniform(0.1, 0.13);
  d.waist = random.uniform(0.085, 0.115);
  d.ball = random.uniform(0.125, 0.165);
  d.ball_at = random.uniform(0.66, 0.74);
  d.toe_power = choose(random, {1, 2, 1}) == 0 ? random.uniform(1.15, 1.5) : random.uniform(1.8, 3.5);
  d.toe_height = random.uniform(0.08, 0.15);
  d.instep = random.uniform(0.2, 0.29);
  d.collar = random.uniform(0.17, 0.27);
  d.vamp = random.uniform(0.56, 0.8);
  d.topline = random.uniform(0.09, 0.16);
  const double tall = random.uniform();
  d.shaft_height = d.style == Style::sneaker      ? 0.29 + 0.06 * tall
                   : d.style == Style::high_top   ? 0.42 + 0.14 * tall
                   : d.style == Style::ankle_boot ? 0.46 + 0.2 * tall
                                                  : 0.85 + 0.5 * tall;
  d.shaft_girth = random.uniform(0.17, 0.22);
  d.shaft_flare = random.uniform(0.9, 1.3);
  d.shaft_lean = random.uniform(-0.05, 0.06);
  const bool laced = sport || (d.style == Style::ankle_boot && random.chance(0.5)) || (d.style == Style::loafer && random.chance(0.3));
  d.laces = laced && !(sport && random.chance(0.15)) ? 3 + static_cast<int>(random.below(5)) : 0;
  d.lace_from = random.uniform(0.4, 0.46);
  d.lace_to = random.uniform(0.58, 0.7);
  d.straps = 1 + static_cast<int>(random.below(3));
  d.strap_at = random.uniform(0.3, 0.46);
  d.strap_width = random.uniform(0.012, 0.024);
  d.cap = random.chance(0.35);
  d.cap_from = random.uniform(0.78, 0.9);
  d.counter = random.chance(0.35);
  d.counter_to = random.uniform(0.12, 0.24);
  d.stripe = random.chance(sport ? 0.6 : 0.15);
  d.stripe_at = random.uniform(0.34, 0.6);
  d.stripe_width = random.uniform(0.05, 0.14);
  d.cuff = random.chance(0.35);
  d.upper.colour = cloth_colour(random);
  d.second.colour = cloth_colour(random);
  d.under.colour = random.chance(0.4) ? Vec3{0.9, 0.9, 0.88} : random.chance(0.5) ? Vec3{0.12, 0.1, 0.1} : wood_colour(random);
  d.inside.colour = mix(d.upper.colour, {0.15, 0.13, 0.12}, random.uniform(0.5, 0.9));
  d.lace.colour = random.chance(0.5) ? Vec3{0.93, 0.93, 0.93} : Vec3{0.1, 0.1, 0.1};
  d.upper.gloss = random.uniform(0, 0.55);
  d.upper.texture = d.upper.gloss < 0.2 ? Texture::cloth : Texture::plain;
  d.upper.texture_scale = random.uniform(8, 24);
  d.upper.contrast = random.uniform(0.03, 0.16);
  d.second.gloss = random.uniform(0, 0.4);
  d.second.texture = d.upper.texture;
  d.second.texture_scale = d.upper.texture_scale;
  d.under.gloss = 0.1;
  d.inside.gloss = 0;
  return d;
}

double smooth_step(double from, double to, double t) {
  const double s = std::clamp((t - from) / (to - from), 0.0, 1.0);
  return s * s * (3 - 2 * s);
}

/// Smooth through (t, value) knots: eased from one to the next.
double through(std::initializer_list<std::pair<double, double>> knots, double t) {
  auto before = *knots.begin();
  for (const auto& knot : knots) {
    if (t <= knot.first) {
      if (knot.first <= before.first) return knot.second;
      const double s = (t - before.first) / (knot.first - before.first);
      return before.second + (knot.second - before.second) * (0.5 * s + 0.5 * s * s * (3 - 2 * s));
    }
    before = knot;
  }
  return before.second;
}

/// Builds from the design: the toe points to −x, z = 0 is the ground.
class ShoeBuilder {
 public:
  explicit ShoeBuilder(const Design& design_of_shoe)
      : d_(design_of_shoe),
        upper_(builder_.add_material(d_.upper)),
        second_(builder_.add_material(d_.second)),
        under_(builder_.add_material(d_.under)),
        inside_(builder_.add_material(d_.inside)),
        lace_(builder_.add_material(d_.lace)) {}

  Solid build() {
    builder_.begin_part(kSole);
    sole();
    builder_.begin_part(kHeel);
    heel();
    builder_.begin_part(kUpper);
    if (d_.style == Style::sandal) {
      builder_.begin_part(kStraps);
      sandal_straps();
    } else {
      upper();
    }
    if (has_shaft()) {
      builder_.begin_part(kShaft);
      shaft();
    }
    builder_.begin_part(kLaces);
    laces();
    if (d_.style == Style::mary_jane) {
      builder_.begin_part(kStraps);
      for (int i = 0; i < d_.straps; ++i) strap_over(d_.strap_at + 0.085 * i, d_.strap_width * 2.4, d_.cap ? second_ : upper_);
    }
    return builder_.take();
  }

 private:
  bool has_shaft() const { return d_.style <= Style::tall_boot; }
  static double x_at(double t) { return 0.5 - t; }

  double half_width(double t) const {
    double width = through({{0, d_.heel_width}, {0.15, d_.heel_width}, {0.42, d_.waist}, {d_.ball_at, d_.ball}, {1, d_.ball}}, t);
    if (t < 0.09) width *= std::sqrt(1 - std::pow(1 - t / 0.09, 2) * 0.98);
    if (t > d_.ball_at)
      width *= std::pow(std::max(0.0, 1 - std::pow((t - d_.ball_at) / (1 - d_.ball_at), d_.toe_power)), 1 / d_.toe_power) * 0.98 + 0.02;
    return width;
  }

  /// The upper side of the sole, on which the foot stands.
  double floor_at(double t) const {
    return d_.sole + d_.platform + d_.heel_height * (1 - smooth_step(0.17, 0.64, t)) +
           d_.spring * std::pow(std::max(0.0, (t - 0.72) / 0.28), 2);
  }

  /// Height of the closed upper over the floor.
  double height_at(double t) const {
    const double toe = std::sqrt(std::max(0.0, 1 - std::pow(std::max(0.0, (t - 0.86) / 0.14), 2))) * 0.8 + 0.2;
    const double back = t < 0.04 ? std::sqrt(1 - std::pow(1 - t / 0.04, 2) * 0.3) : 1;
    return through({{0, d_.collar},
                    {0.3, d_.instep},
                    {0.5, d_.instep * 0.86},
                    {0.75, d_.toe_height * 1.15},
                    {0.9, d_.toe_height},
                    {1, d_.toe_height}},
                   t) *
           toe * back;
  }

  /// Height of the rim of a shoe that is open on top.
  double rim_at(double t) const {
    return through({{0, d_.collar}, {0.12, d_.collar * 0.95}, {0.38, d_.topline}, {d_.vamp, d_.toe_height * 1.05}}, t);
  }

  Vec3 over(double t, double across, double share) const { return {x_at(t), across * half_width(t), floor_at(t) + share * height_at(t)}; }

  static std::vector<double> stations() {
    std::vector<double> all;
    constexpr int kCount = 30;
    for (int i = 0; i <= kCount; ++i)
      all.push_back(0.003 + 0.994 * (0.5 - 0.5 * std::cos(std::numbers::pi * i / kCount)) * 0.75 + 0.994 * 0.25 * i / kCount);
    return all;
  }

  void upper() {
    // Right side up, over the top, left side down. The last pairs are the top, open or closed.
    constexpr std::pair<double, double> kSide[] = {{0.6, 0}, {0.98, 0.02}, {1, 0.3}, {0.95, 0.55}, {0.8, 0.8}, {0.45, 0.96}, {0.12, 1}};
    constexpr int kHalf = static_cast<int>(std::size(kSide));
    const auto at = stations();
    const bool open = !has_shaft();
    std::vector<Ring> rings;
    for (const double t : at) {
      const double width = half_width(t), low = floor_at(t), closed = height_at(t);
      const bool mouth = open && t < d_.vamp;
      const double high = mouth ? std::min(rim_at(t), closed) : closed;
      Ring ring(2 * kHalf);
      for (int k = 0; k < kHalf; ++k) {
        double across = kSide[k].first * width, z = low + kSide[k].second * high;
        if (mouth && k >= 4) {  // the rim, then down inside
          across = width * (k == 4 ? 0.88 : k == 5 ? 0.78 : 0.1);
          z = low + high * (k == 6 ? 0.9 : 1.0);
        }
        ring[k] = {x_at(t), across, z};
        ring[2 * kHalf - 1 - k] = {x_at(t), -across, z};
      }
      rings.push_back(ring);
    }
    builder_.loft(rings, [&](int row, int column) {
      const double t = (at[row] + at[std::min<std::size_t>(row + 1, at.size() - 1)]) / 2;
      const bool top = column >= 5 && column < 2 * kHalf - 6;
      if (open && t < d_.vamp && top) return inside_;
      const int level = std::min(column, 2 * kHalf - 2 - column);
      if (d_.cap && t > d_.cap_from) return second_;
      if (d_.counter && t < d_.counter_to && level < 5) return second_;
      if (d_.stripe && level >= 1 && level < 5 && std::abs(t - d_.stripe_at) < d_.stripe_width / 2) return second_;
      return upper_;
    });
  }

  void sole() {
    const auto at = stations();
    std::vector<Ring> rings;
    for (const double t : at) {
      const double width = half_width(t) * 1.04 + 0.004, high = floor_at(t) + 0.006;
      double low = floor_at(t) - d_.sole - d_.platform;
      if (d_.heel == Heel::wedge) low *= smooth_step(0.5, 0.72, t);
      rings.push_back({{x_at(t), width * 0.96, low}, {x_at(t), width, high}, {x_at(t), -width, high}, {x_at(t), -width * 0.96, low}});
    }
    builder_.loft(rings, under_);
  }

  void heel() {
    const double under_heel = floor_at(0.1) - d_.sole - d_.platform;
    if ((d_.heel != Heel::block && d_.heel != Heel::stiletto) || under_heel < 0.03) return;
    std::vector<Ring> rings;
    for (const double down : {0.0, 0.25, 0.6, 1.0}) {
      const double taper =
          d_.heel == Heel::stiletto ? d_.heel_taper + (1 - d_.heel_taper) * std::pow(1 - down, 2.2) : 1 + (d_.heel_taper - 1) * down;
      const double z = (under_heel + d_.sole * 0.6) * (1 - down);
      Ring ring;
      for (int k = 0; k < 12; ++k) {
        const double angle = 2 * std::numbers::pi * (k + 0.5) / 12;
        ring.push_back({0.475 - d_.heel_size * taper * (0.5 - 0.5 * std::cos(angle)),
                        d_.heel_width * 0.9 * std::max(taper, 0.2) * std::sin(angle), z});
      }
      rings.push_back(ring);
    }
    builder_.loft(rings, d_.counter ? second_ : under_);
  }

  void shaft() {
    const double foot = floor_at(0.18), top = foot + d_.shaft_height, start = foot + 0.1;
    constexpr int kLevels = 7, kPoints = 20;
    std::vector<Ring> rings;
    for (int level = 0; level <= kLevels + 1; ++level) {
      const double up = std::min(1.0, static_cast<double>(level) / kLevels), z = start + (top - start) * up;
      const double flare = 1 + (d_.shaft_flare - 1) * up * std::min(1.0, d_.shaft_height);
      const double inset = level > kLevels ? 0.78 : 1;  // the last ring is the inner rim
      const double half_x = d_.shaft_girth * flare * inset, half_y = (0.115 + 0.02 * up) * flare * inset;
      const double middle = 0.5 - 0.012 - d_.shaft_girth - d_.shaft_lean * up - (1 - up) * 0.02;
      Ring ring;
      for (int k = 0; k < kPoints; ++k) {
        const double angle = 2 * std::numbers::pi * (k + 0.5) / kPoints;
        const double dip = d_.style == Style::sneaker ? 0.025 * (1 - std::abs(std::cos(angle))) : 0.0;  // lower at the ankle
        // The inner rim is a hair higher, so that it faces up and out.
        ring.push_back({middle + half_x * std::cos(angle), half_y * std::sin(angle), z - dip * up + (level > kLevels ? 0.004 : 0)});
      }
      rings.push_back(ring);
    }
    builder_.loft(rings, [&](int row, int) {
      if (row == kLevels) return inside_;
      return d_.cuff && row == kLevels - 1 ? second_ : upper_;
    });
  }

  void laces() {
    for (int i = 0; i < d_.laces; ++i) {
      const double t = d_.lace_from + (d_.lace_to - d_.lace_from) * i / (d_.laces - 1);
      const Vec3 lift{0, 0, 0.008};
      builder_.bar(
          {over(t, 0.62, 0.9) + lift, over(t + 0.01, 0.25, 1.0) + lift, over(t + 0.01, -0.25, 1.0) + lift, over(t, -0.62, 0.9) + lift},
          0.009, 0.009, 5, lace_);
    }
  }

  /// A band across the foot, `width` long in t.
  void strap_over(double t, double width, int material) {
    std::vector<Ring> rings;
    const double arch = std::max(0.13, 0.9 * height_at(t));
    for (int i = 0; i <= 12; ++i) {
      const double angle = std::numbers::pi * i / 12;
      Ring ring;
      for (const auto& [along, thick] : {std::pair{-0.5, 0.0}, {0.5, 0.0}, {0.5, 0.016}, {-0.5, 0.016}}) {
        ring.push_back({x_at(t) + along * width, (half_width(t) * 1.01 + thick) * std::cos(angle),
                        floor_at(t) + 0.006 + (arch + thick) * std::sqrt(std::max(0.0, std::sin(angle)))});
      }
      rings.push_back(ring);
    }
    builder_.loft(rings, material);
  }

  void sandal_straps() {
    const double width = d_.strap_width * 3.2;
    for (int i = 0; i < d_.straps; ++i) strap_over(0.62 + 1.35 * width * i, width, i % 2 == 1 && d_.cap ? second_ : upper_);
    if (d_.counter) strap_over(d_.strap_at + 0.05, width * 0.8, upper_);
    // Round the ankle, with a strap down each side.
    const double z = floor_at(0.1) + d_.collar * 0.75;
    std::vector<Vec3> ring;
    for (int i = 0; i <= 16; ++i) {
      const double angle = 2 * std::numbers::pi * i / 16;
      ring.push_back({0.36 + 0.13 * std::cos(angle), 0.095 * std::sin(angle), z + 0.03 * std::cos(angle)});
    }
    builder_.bar(ring, d_.strap_width, d_.strap_width, 6, upper_);
    for (const int side : {-1, 1}) {
      builder_.bar({{0.4, side * 0.095, z}, {0.4, side * d_.heel_width, floor_at(0.1)}}, d_.strap_width, d_.strap_width, 6, upper_);
    }
  }

  Design d_;
  SolidBuilder builder_;
  int upper_, second_, under_, inside_, lace_;
};

}  // namespace

Thing make_shoe(KeyedRandom& random) {
  const auto chosen = design(random);
  Viewpoint viewpoint;
  viewpoint.azimuth = random.uniform(-0.6, 0.35);
  viewpoint.elevation = random.uniform(0.12, 0.5);
  viewpoint.distance = random.uniform(3, 6);
  return {ShoeBuilder(chosen).build(), viewpoint};
}

}  // namespace duet
