#include "base/random.h"

#include <cmath>
#include <numbers>

namespace duet {
namespace {

std::uint64_t finalise(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return finalise(finalise(a + kGolden) ^ (b + kGolden)); }

KeyedRandom::KeyedRandom(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint64_t sample)
    : key_(mix(mix(mix(seed, static_cast<std::uint64_t>(purpose)), step), sample)) {}

std::uint64_t KeyedRandom::next() { return finalise(key_ + kGolden * ++counter_); }

double KeyedRandom::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double KeyedRandom::uniform(double low, double high) { return low + (high - low) * uniform(); }

double KeyedRandom::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::uint64_t KeyedRandom::below(std::uint64_t bound) {
  // Lemire's method: the product's high half is uniform once the few low values that would be over-represented are refused.
  const std::uint64_t refused = (0 - bound) % bound;
  for (;;) {
    const auto product = static_cast<unsigned __int128>(next()) * bound;
    if (static_cast<std::uint64_t>(product) >= refused) return static_cast<std::uint64_t>(product >> 64);
  }
}

}  // namespace duet
