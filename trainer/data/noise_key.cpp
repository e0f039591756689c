#include "trainer/data/noise_key.h"

#include "base/error.h"

namespace duet {
namespace {

constexpr int kStreamBit = 48, kPoolBit = 62;
constexpr std::int64_t kEvaluationStep = (std::int64_t{1} << 47) - 1;

}  // namespace

NoiseKey noise_key(NoiseKind kind, StreamName stream, std::int64_t step, std::int64_t place) {
  DUET_CHECK(step >= 0 && step < kEvaluationStep && place >= 0 && place < std::int64_t{1} << kPoolBit,
             "no noise is kept for step {}, place {}", step, place);
  if (kind == NoiseKind::evaluation) step = kEvaluationStep;
  if (kind == NoiseKind::pool_in_block) place |= std::int64_t{1} << kPoolBit;
  return {.step = (static_cast<std::int64_t>(stream) << kStreamBit) + step, .place = place};
}

NoiseKeys noise_keys(NoiseKind kind, StreamName stream, std::int64_t step, std::span<const std::int64_t> places) {
  NoiseKeys keys{.step = noise_key(kind, stream, step).step, .place = {}};
  for (const auto place : places) keys.place.push_back(noise_key(kind, stream, step, place).place);
  return keys;
}

}  // namespace duet
