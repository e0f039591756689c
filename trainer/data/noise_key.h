#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "trainer/data/stream_name.h"

namespace duet {

/// Whose noise it is. Kinds never share a key.
enum class NoiseKind {
  training,       ///< of a step of training; the row's place is its position in the stream
  pool_in_block,  ///< of pool photos that are drawn in one block with labelled ones: positions in two streams must not meet
  evaluation,     ///< of no step: the same whenever it is asked for
};

/// What the run's noise is keyed by (KeyedRandom's step and sample), packed. Part of a run's meaning: never change the layout.
///
///   bits    63   62              61 … 48   47 … 0
///   step    0    0               stream    training, pool_in_block: the step, 0 … 2^47 − 2;  evaluation: 2^47 − 1
///   place   0    pool_in_block   61 … 0: the position
struct NoiseKey {
  std::int64_t step = 0;
  std::int64_t place = 0;
  bool operator==(const NoiseKey&) const = default;
};

/// `step`: of the phase; 0 for evaluation. `place`: not negative, below 2^62. Throws InternalError on what does not fit.
NoiseKey noise_key(NoiseKind kind, StreamName stream, std::int64_t step, std::int64_t place = 0);

/// The keys of a batch's rows: one step, a place a row.
struct NoiseKeys {
  std::int64_t step = 0;
  std::vector<std::int64_t> place;
};
NoiseKeys noise_keys(NoiseKind kind, StreamName stream, std::int64_t step, std::span<const std::int64_t> places);

}  // namespace duet
