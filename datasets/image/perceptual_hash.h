#pragma once
#include <bit>
#include <cstdint>

#include "datasets/image/image.h"

namespace duet {

/// A 64-bit summary of what a photo looks like, stable under rescaling, re-encoding and small crops.
std::uint64_t perceptual_hash(const Image& image);

/// Number of differing bits, 0 … 64.
inline int hamming_distance(std::uint64_t a, std::uint64_t b) { return std::popcount(a ^ b); }

/// Two photos at most this far apart are taken for the same picture.
inline constexpr int kLookAlikeDistance = 6;

}  // namespace duet
