#pragma once
#include <cstdint>

namespace duet {

/// What a stream of noise is for; streams of different purposes are independent. Values are part of a run's meaning: never renumber.
enum class Purpose : std::uint32_t {
  initial_weights = 1,
  sample_order = 2,
  photo_augmentation = 3,
  sketch_augmentation = 4,
  joint_flip = 5,
  latent = 6,   ///< ε of the variational latent
  drawing = 7,  ///< mixture, offset and pen draws of a sampled sketch
  negatives = 8,
  bootstrap = 9,
  synthetic = 10,
  replacement = 11,  ///< which sample stands in for a damaged one
  test = 99,
};

/// Noise as a pure function of (seed, purpose, step or epoch, sample): the same on every rank, thread and resume, in any order of calls.
///   KeyedRandom random(seed, Purpose::latent, step, sample);  double e = random.normal();
/// Counter-based (SplitMix64 over a hashed key). Not for secrets. One object, one thread; objects are cheap.
class KeyedRandom {
 public:
  KeyedRandom(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint64_t sample);

  std::uint64_t next();
  double uniform();  ///< [0, 1), 53 bits
  double uniform(double low, double high);
  double normal();                           ///< mean 0, variance 1 (Box-Muller, both halves used)
  std::uint64_t below(std::uint64_t bound);  ///< 0 … bound − 1, without modulo bias
  bool chance(double probability) { return uniform() < probability; }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// A well-mixed 64-bit hash of two numbers (one round of SplitMix64's finaliser each).
std::uint64_t mix(std::uint64_t a, std::uint64_t b);

}  // namespace duet
