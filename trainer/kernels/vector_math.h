#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

// Element functions for loops that the compiler turns into vector code, and the mark for functions that hold such loops.

/// Compiles a function for AVX-512, AVX2 and the baseline; the loader picks what the machine has.
#if defined(__x86_64__)
#define DUET_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DUET_VECTORISED
#endif

namespace duet {

/// tanh without branches or calls, relative error below 2e-7, NaN stays NaN. e^{2x} − 1 is computed as such (range reduction by ln 2,
/// Taylor series), so that small arguments keep their digits.
[[gnu::always_inline]] inline float vector_tanh(float x) {
  constexpr float kSaturated = 9.0f;              // tanh rounds to ±1 from here on
  constexpr float kRoundToInteger = 12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  x = x > kSaturated ? kSaturated : x;  // these comparisons let NaN through
  x = x < -kSaturated ? -kSaturated : x;
  const float doubled = 2 * x;
  const float shifted = doubled * 1.44269504f + kRoundToInteger;
  const float exponent = shifted - kRoundToInteger;
  const float rest = (doubled - exponent * kLn2High) - exponent * kLn2Low;
  float series = 1.0f / 5040;
  series = series * rest + 1.0f / 720;
  series = series * rest + 1.0f / 120;
  series = series * rest + 1.0f / 24;
  series = series * rest + 1.0f / 6;
  series = series * rest + 0.5f;
  series = series * rest * rest + rest;  // e^rest − 1
  const float power = std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3f800000u);
  const float numerator = power * series + (power - 1);
  return numerator / (numerator + 2);
}

/// Exact to the library's rounding: float64 is for proofs, not for speed.
[[gnu::always_inline]] inline double vector_tanh(double x) { return std::tanh(x); }

template <typename Scalar>
[[gnu::always_inline]] inline Scalar vector_sigmoid(Scalar x) {
  return Scalar(0.5) * vector_tanh(Scalar(0.5) * x) + Scalar(0.5);
}

}  // namespace duet
