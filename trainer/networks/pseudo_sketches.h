#pragma once
#include "datasets/sketch/sketch.h"
#include "trainer/data/noise_key.h"
#include "trainer/models/generator.h"
#include "trainer/networks/networks.h"

namespace duet {

/// Sketches that the generator drew for a batch of photos.
struct PseudoSketches {
  std::vector<Sketch> sketches;  ///< on the 256 canvas
  Drawing drawing;

  std::int64_t size() const { return static_cast<std::int64_t>(sketches.size()); }
};

/// What draws sketches. Everything outlives it.
struct SketchSource {
  const TrainingConfig& config;
  Generator& generator;
  Device device = {};
};

/// Draws a sketch for each map: z from its posterior, then greedily or at `temperature` (docs/method.md §3.8). Without gradient.
PseudoSketches draw_sketches(const SketchSource& source, const Tensor& map, const NoiseKeys& keys, double temperature, bool keep_hidden);

/// The drawn steps put on the canvas as joint.placement says (docs/method.md §3.9).
std::vector<Sketch> place_drawings(const Drawing& drawing, double offset_scale, Placement placement);

/// As networks see them: uint8 [n, side, side] on the run's device, in the run's polarity.
Tensor rasters_of(const SketchSource& source, const std::vector<Sketch>& sketches);

/// Moved by the configured augmentation, keyed by row.
std::vector<Sketch> augmented(const SketchSource& source, const std::vector<Sketch>& sketches, const NoiseKeys& keys);

}  // namespace duet
