#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/torch.h"

namespace duet {

/// Where the true photos stand. rank: 1 = first; nearest: [queries, min(10, gallery)] gallery positions, nearest first.
struct Ranking {
  std::vector<std::int64_t> rank;
  std::vector<std::int64_t> nearest;
};

/// Ranks by Euclidean distance (docs/method.md §9.1): rank = number of gallery photos whose distance is ≤ the true one's, so ties count
/// against the query and a collapsed network gets the last rank. Distances are taken from differences, not from inner products: equal
/// vectors are exactly equal far. query: [q, d], gallery: [n, d], finite, of one type and device; truth: q positions in the gallery.
/// Memory: about 64 MiB beyond the inputs.
Ranking rank_gallery(const Tensor& query, const Tensor& gallery, std::span<const std::int64_t> truth);

/// How many photos stand in `nearest`, for a gallery of this size.
std::int64_t nearest_count(std::int64_t gallery);

}  // namespace duet
