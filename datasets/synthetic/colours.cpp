#include <algorithm>
#include <cmath>

#include "datasets/synthetic/things.h"

namespace duet {
namespace {

Vec3 from_hue(double hue, double saturation, double value) {
  const auto channel = [&](double shift) {
    const double k = std::fmod(shift + hue * 6, 6.0);
    return value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
  };
  return {channel(5), channel(3), channel(1)};
}

}  // namespace

int choose(KeyedRandom& random, std::initializer_list<double> weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  double rest = random.uniform() * total;
  int index = 0;
  for (const double weight : weights) {
    if (rest < weight) return index;
    rest -= weight;
    ++index;
  }
  return index - 1;
}

Vec3 wood_colour(KeyedRandom& random) {
  const double tone = random.uniform(), redness = random.uniform(-0.01, 0.03);
  if (random.chance(0.2))
    return from_hue(0.08, 0.05, random.chance(0.5) ? random.uniform(0.08, 0.2) : random.uniform(0.8, 0.92));  // painted
  return from_hue(0.08 - redness, 0.45 + 0.2 * random.uniform(), 0.25 + 0.55 * tone);
}

Vec3 cloth_colour(KeyedRandom& random) {
  const double hue = random.uniform(), value = random.uniform();
  switch (choose(random, {3, 2, 3})) {
    case 0:
      return from_hue(hue, 0.08 * random.uniform(), 0.12 + 0.75 * value);  // black, grey, off-white
    case 1:
      return from_hue(0.07, 0.35 + 0.3 * random.uniform(), 0.2 + 0.55 * value);  // leather
    default:
      return from_hue(hue, 0.35 + 0.5 * random.uniform(), 0.3 + 0.55 * value);
  }
}

}  // namespace duet
