#pragma once
#include <memory>

#include "trainer/config.h"
#include "trainer/phases/streams.h"

namespace duet {

/// The stores of a run and what they are for.
struct OpenedData {
  TrainingData training;
  std::optional<StoreView> validation;  ///< of the labelled store: models are chosen on it, nothing is trained on it
  std::optional<StoreView> test;        ///< of the labelled store: measured at the end of a stage only
  std::int64_t look_alikes = 0;         ///< pool photos left out because they look like a validation or test photo
};

/// Opens what the configuration names, the pool at `pool_generation` (−1: the newest). Throws UsageError naming the option when a store is
/// of the wrong kind, lacks a split or is too small for its batch; else as Store::open.
OpenedData open_data(const TrainingConfig& config, std::int64_t pool_generation);

/// Which pool photos look like one of the held-out photos (validation and test part of the labelled store; perceptual hash): a predicate
/// over indices of `pool`, and how many there are.
struct LookAlikes {
  std::function<bool(std::int64_t photo)> excluded;
  std::int64_t count = 0;
};
LookAlikes find_look_alikes(const StoreView& pool, const std::vector<StoreView>& held_out);

}  // namespace duet
