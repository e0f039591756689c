#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/evaluation/retrieval_evaluation.h"
#include "trainer/networks/pseudo_sketches.h"

namespace duet {

/// The networks of a checkpoint, for use instead of training: evaluation and drawing.
class TrainedNetworks {
 public:
  /// `weights`: which of the retrieval network's: last, average or best. Throws UsageError when the checkpoint has no such weights (it
  /// lists those there are), DataError when it is damaged.
  TrainedNetworks(const TrainingConfig& config, const Checkpoint& checkpoint, const std::string& weights, const Ranks& ranks,
                  const Device& device);

  /// Human sketches of a view against its photos (docs/method.md §9.1). Collective.
  RetrievalResult evaluate(const StoreView& view);
  /// Sketches that the generator draws of the view's photos, `samples` each, judged by the retrieval network. Collective. Throws UsageError
  /// without a generator.
  RetrievalResult evaluate_generator(const StoreView& view, int samples);
  /// Sketches of photos that lie in no store: uint8 [1, side, side, 3] each; `samples` each, photo by photo.
  std::vector<Sketch> draw(const std::vector<Tensor>& photos, int samples);

 private:
  SketchSource sketches();

  const TrainingConfig& config_;
  Ranks ranks_;
  Device device_;
  Networks networks_;
};

}  // namespace duet
