#include "trainer/models/draw_noise.h"

#include "base/random.h"

namespace duet {

Tensor latent_noise(std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> samples, std::int64_t width) {
  auto noise = at::empty({static_cast<std::int64_t>(samples.size()), width}, at::kDouble);
  auto* value = noise.data_ptr<double>();
  for (const auto sample : samples) {
    KeyedRandom random(seed, Purpose::latent, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(sample));
    for (std::int64_t i = 0; i < width; ++i) *value++ = random.normal();
  }
  return noise;
}

Tensor drawing_noise(std::uint64_t seed, std::int64_t step, std::span<const std::int64_t> samples, std::int64_t steps) {
  auto noise = at::empty({static_cast<std::int64_t>(samples.size()), steps, 4}, at::kDouble);
  auto* value = noise.data_ptr<double>();
  for (const auto sample : samples) {
    KeyedRandom random(seed, Purpose::drawing, static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(sample));
    for (std::int64_t t = 0; t < steps; ++t) {
      *value++ = random.uniform();
      *value++ = random.normal();
      *value++ = random.normal();
      *value++ = random.uniform();
    }
  }
  return noise;
}

}  // namespace duet
