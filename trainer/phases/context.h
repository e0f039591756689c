#pragma once
#include "trainer/data/noise_key.h"
#include "trainer/data/streams.h"
#include "trainer/networks/networks.h"
#include "trainer/networks/pseudo_sketches.h"

namespace duet {

/// What all phases work with. Everything outlives them.
struct PhaseContext {
  const TrainingConfig& config;
  Ranks ranks;
  Device device;
  Networks& networks;
  Streams& streams;
  FeatureCache& cache;

  SketchSource sketches() const { return {config, *networks.generator, device}; }
};

/// Sources of the feature cache. Photos of the validation part never enter it.
enum class CacheSource : int {
  strokes_map,
  labelled_map,
  pool_map,
  labelled_photo_teacher,
  labelled_sketch_teacher,
  pool_photo_teacher,
};

/// The generator's maps of a batch's photos (or pseudo photos), [n, C, h, w] in the run's dtype: in evaluation mode and without gradient,
/// so that drawing changes nothing. Kept, unless the joint stage trains the encoder. `images`: uint8, as Backbone::features() takes them;
/// `record`: the photo's (or drawing's) index in its view.
Tensor encoded_maps(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                    const std::vector<std::uint8_t>& flipped, const Tensor& images);

/// The same for a loss that trains the encoder: in training mode, with gradient. encoded_maps() where generator.train_backbone is off.
Tensor trained_maps(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                    const std::vector<std::uint8_t>& flipped, const Tensor& images);

/// Does the joint stage train the generator's encoder?
bool joint_trains_encoder(const TrainingConfig& config);

/// The teacher's embeddings of samples that may be seen again: [n, d], kept.
Tensor teacher_embeddings(const PhaseContext& context, CacheSource source, const std::vector<std::int64_t>& record,
                          const std::vector<std::uint8_t>& flipped, const Tensor& images);

}  // namespace duet
