#pragma once
#include <bit>
#include <cstdint>

namespace duet {

// The two 16-bit formats as MPI carries them: widened for arithmetic, rounded to nearest even afterwards.
// Infinities and NaN survive both ways.

inline float bfloat16_to_float(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

inline std::uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (value != value) return static_cast<std::uint16_t>((bits >> 16) | 0x0040);  // rounding could turn a NaN into infinity
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float float16_to_float(std::uint16_t bits);
std::uint16_t float_to_float16(float value);

}  // namespace duet
