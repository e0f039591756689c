#pragma once
#include <memory>

#include "base/json.h"
#include "datasets/store/identity.h"
#include "trainer/config.h"
#include "trainer/data/streams.h"

namespace duet {

/// The stores of a run and what they are for.
struct OpenedData {
  TrainingData training;
  std::optional<StoreView> validation;  ///< of the labelled store: models are chosen on it, nothing is trained on it
  std::optional<StoreView> test;        ///< of the labelled store: measured at the end of a stage only
  std::int64_t look_alikes = 0;         ///< pool photos left out because they look like a validation or test photo
};

/// Opens what the configuration names, at the newest generations; those in `known` at the generations that it says. Throws UsageError
/// naming the option when a store is of the wrong kind, lacks a split or is too small for its batch, DataError when one is not the store
/// that `known` was made of; else as Store::open.
OpenedData open_data(const TrainingConfig& config, const Json& known = Json::object());

/// Training part of a later generation of the pool. Throws DataError when it does not go on from `present` (a store put in its place), and
/// as open_data() does.
StoreView open_newer_pool(const TrainingConfig& config, const StoreView& present, std::int64_t generation);

/// What a resumed run must find again, by the name of the option: generation and identity of each open store.
Json known_stores(const TrainingData& data);

/// Which pool photos look like a validation or test photo (perceptual hash): a predicate over indices of `pool`, and how many there are.
struct LookAlikes {
  std::function<bool(std::int64_t photo)> excluded;
  std::int64_t count = 0;
};
LookAlikes find_look_alikes(const StoreView& pool, const OpenedData& data);

}  // namespace duet
