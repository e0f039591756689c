#include "trainer/evaluation/trained_networks.h"

#include "cluster/run/run_folder.h"
#include "trainer/evaluation/generator_evaluation.h"
#include "trainer/models/weights.h"

namespace duet {
namespace {

// Weights come from the checkpoint: nothing is loaded from elsewhere before.
TrainingConfig without_files(TrainingConfig config) {
  config.retrieval.weights = config.retrieval.initial = config.generator.weights = config.generator.initial = "";
  config.retrieval.average_decay = 0;
  return config;
}

std::string file_of(const Checkpoint& checkpoint, const std::string& weights) {
  const auto file = CheckpointFile::of_retrieval(weights);
  if (checkpoint.has(file)) return file;
  std::vector<std::string> there;
  for (const auto* name : {"last", "average", "best"}) {
    if (checkpoint.has(CheckpointFile::of_retrieval(name))) there.push_back(name);
  }
  throw UsageError("{}: has no '{}' weights, only: {}.", checkpoint.folder().string(), weights, fmt::join(there, ", "));
}

}  // namespace

TrainedNetworks::TrainedNetworks(const TrainingConfig& config, const Checkpoint& checkpoint, const std::string& weights, const Ranks& ranks,
                                 const Device& device)
    : config_(config), ranks_(ranks), device_(device), networks_(without_files(config), nullptr, device) {
  load_weights(*networks_.retrieval, checkpoint.folder() / file_of(checkpoint, weights));
  const auto generator = CheckpointFile::of_network("generator");
  if (!checkpoint.has(generator)) networks_.generator.reset();
  if (networks_.generator) load_weights(*networks_.generator, checkpoint.folder() / generator);
}

SketchSource TrainedNetworks::sketches() {
  if (!networks_.generator) throw UsageError("this run has no generator: it trained none and used none.");
  return {config_, *networks_.generator, device_};
}

RetrievalResult TrainedNetworks::evaluate(const StoreView& view) {
  const auto gallery = gallery_of(view, config_.data.image_side);
  const auto queries = sketches_of(view, gallery, config_.data.image_side, config_.run.sketch_polarity == Polarity::dark_on_white);
  return evaluate_retrieval(*networks_.retrieval, gallery, queries, ranks_.control, config_.run.seed, config_.data.max_bad_fraction);
}

RetrievalResult TrainedNetworks::evaluate_generator(const StoreView& view, int samples) {
  return duet::evaluate_generator(sketches(), *networks_.retrieval, view, samples, ranks_.control);
}

std::vector<Sketch> TrainedNetworks::draw(const std::vector<Tensor>& photos, int samples) {
  return sketches_of_images(sketches(), photos, samples);
}

}  // namespace duet
