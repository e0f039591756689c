#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/torch.h"
#include "cluster/ranks/ranks.h"
#include "datasets/loader/batch_stream.h"
#include "trainer/config.h"
#include "trainer/data/stream_name.h"

namespace duet {

/// All that the configuration asks for; plain streams have its flip only.
Augmentation augmentation_of(const DataConfig& config);

/// The stores of a run, opened; views of the parts that training sees.
struct TrainingData {
  std::optional<StoreView> labelled;  ///< split "train"
  std::optional<StoreView> pool;
  std::optional<StoreView> strokes;
  std::function<bool(std::int64_t photo)> excluded;  ///< pool photos that must not be seen (they look like a validation or test photo)
};

/// Makes each stream when it is first asked for, and keeps the place of all of them for checkpoints. One thread.
class Streams {
 public:
  Streams(const TrainingConfig& config, const Ranks& ranks, TrainingData data);

  BatchStream& at(StreamName name);
  const TrainingData& data() const { return data_; }

  /// Pool streams continue on a newer generation, in a new epoch.
  void adopt_pool(StoreView newer, std::function<bool(std::int64_t)> excluded);

  /// Places of all streams, made or not yet made again since a resume.
  Json state() const;
  void load_state(const Json& state);

  /// Bad samples found since the last call, in words.
  std::vector<std::string> take_bad_samples();
  /// Seconds that next() waited for decoders, since the last call.
  double take_wait_seconds();
  Batch next(StreamName name);

 private:
  BatchOptions options_of(StreamName name) const;

  const TrainingConfig& config_;
  int rank_, ranks_;
  TrainingData data_;
  std::map<StreamName, std::unique_ptr<BatchStream>> made_;
  std::map<StreamName, StreamState> places_;  ///< from a checkpoint, of streams not made yet
  double wait_seconds_ = 0;
};

/// The photos of a batch as uint8 [n, side, side, 3], its rasters as uint8 [n, side, side], on `device`.
Tensor photos_of(const Batch& batch, int side, at::Device device);
Tensor rasters_of(const Batch& batch, int side, at::Device device);

}  // namespace duet
