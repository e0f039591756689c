#include "trainer/networks/pseudo_sketches.h"

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "datasets/loader/augmentation.h"
#include "datasets/loader/sample.h"
#include "trainer/data/streams.h"
#include "trainer/models/draw_noise.h"
#include "trainer/models/stroke_batch.h"

namespace duet {

std::vector<Sketch> place_drawings(const Drawing& drawing, double offset_scale, Placement placement) {
  const bool stretched = placement == Placement::stretched;
  std::vector<Sketch> sketches;
  for (const auto& offsets : to_offset_lists(drawing)) {
    auto sketch = from_offsets(offsets, offset_scale, placement);
    for (auto& point : sketch) {
      if (!std::isfinite(point.x) || !std::isfinite(point.y)) {
        throw NumericalError(
            "the generator drew a point that is not finite. Lower generator.learning_rate, or resume from an earlier checkpoint.");
      }
      // The stretching variant truncates where the centred one rounds (docs/method.md §3.9).
      if (stretched) point.x = std::trunc(point.x), point.y = std::trunc(point.y);
    }
    sketches.push_back(std::move(sketch));
  }
  return sketches;
}

PseudoSketches draw_sketches(const SketchSource& source, const Tensor& map, const NoiseKeys& keys, double temperature, bool keep_hidden) {
  at::NoGradGuard no_gradients;
  const auto& config = source.config;
  const auto& generator = source.generator;
  const auto latent = generator.latent(map);
  const auto z = Generator::sample_latent(latent, latent_noise(config.run.seed, keys.step, keys.place, config.generator.latent));
  const DrawOptions options{.temperature = temperature, .max_steps = config.generator.max_steps, .keep_hidden = keep_hidden};
  const auto noise = temperature > 0 ? drawing_noise(config.run.seed, keys.step, keys.place, options.max_steps) : Tensor();
  PseudoSketches drawn;
  drawn.drawing = generator.draw(map, z, options, noise);
  drawn.sketches = place_drawings(drawn.drawing, generator.offset_scale(), config.joint.placement);
  return drawn;
}

Tensor rasters_of(const SketchSource& source, const std::vector<Sketch>& sketches) {
  const auto side = source.config.data.image_side;
  const bool dark_on_white = source.config.run.sketch_polarity == Polarity::dark_on_white;
  const auto count = static_cast<std::int64_t>(sketches.size());
  auto rasters = at::empty({count, side, side}, at::kByte);
  auto* pixels = rasters.data_ptr<std::uint8_t>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) {
      const auto raster = raster_of(sketches[static_cast<std::size_t>(row)], side, dark_on_white, "a generated sketch");
      std::copy(raster.begin(), raster.end(), pixels + row * side * side);
    }
  });
  return rasters.to(source.device.device);
}

std::vector<Sketch> augmented(const SketchSource& source, const std::vector<Sketch>& sketches, const NoiseKeys& keys) {
  const auto augmentation = augmentation_of(source.config.data);
  std::vector<Sketch> moved;
  for (std::size_t row = 0; row < sketches.size(); ++row) {
    const KeyedRandom random(source.config.run.seed, Purpose::sketch_augmentation, static_cast<std::uint64_t>(keys.step),
                             static_cast<std::uint64_t>(keys.place[row]));
    moved.push_back(transform(sketches[row], random_affine(augmentation, ScaleFormula::deviation, random)));
  }
  return moved;
}

}  // namespace duet
