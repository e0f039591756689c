#include "trainer/evaluation/generator_evaluation.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "datasets/loader/sample.h"
#include "trainer/networks/pseudo_sketches.h"

namespace duet {
namespace {

Tensor photo_tensor(const SketchSource& source, const StoreView& view, std::int64_t photo) {
  const auto side = source.config.data.image_side;
  auto pixels = load_photo(view, photo, side);
  return at::from_blob(pixels.data(), {1, side, side, 3}, at::kByte).clone().to(source.device.device);
}

// One photo at a time: the map is then the same whatever stands beside it.
std::vector<Sketch> draw(const SketchSource& source, const Tensor& photo, std::int64_t first_position, int samples) {
  at::NoGradGuard no_gradients;
  const EvaluationMode evaluation(source.generator);
  Tensor map;
  {
    const Autocast autocast(source.device);
    map = source.generator.encode(photo).to(source.device.dtype);
  }
  std::vector<std::int64_t> positions;
  for (int sample = 0; sample < samples; ++sample) positions.push_back(first_position + sample);
  const auto keys = noise_keys(NoiseKind::evaluation, StreamName::generator_pairs, 0, positions);
  return draw_sketches(source, map.repeat({samples, 1, 1, 1}), keys, 0, false).sketches;
}

}  // namespace

std::vector<std::vector<Sketch>> sketches_of_photos(const SketchSource& source, const StoreView& view, std::int64_t photos, int samples) {
  std::vector<std::vector<Sketch>> sketches;
  std::int64_t unreadable = 0;
  for (std::int64_t photo = 0; photo < std::min(photos, view.photo_count()); ++photo) {
    auto& drawn = sketches.emplace_back();
    try {
      drawn = draw(source, photo_tensor(source, view, photo), photo * samples, samples);
    } catch (const DataError& error) {
      warn("{} No sketch is drawn of it.", error.what());
      const auto limit = source.config.data.max_bad_fraction;
      if (++unreadable > bad_samples_allowed(limit, view.photo_count())) {
        throw DataError(
            "{}, split '{}': {} of the {} photos that sketches were to be drawn of cannot be read, more than the {:g} of the split's {} "
            "that data.max_bad_fraction admits. `duet store verify` lists them.",
            view.store().path().string(), view.split(), unreadable, photo + 1, limit, view.photo_count());
      }
    }
  }
  return sketches;
}

std::vector<Sketch> sketches_of_images(const SketchSource& source, const std::vector<Tensor>& photos, int samples) {
  std::vector<Sketch> sketches;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    auto drawn = draw(source, photos[i].to(source.device.device), static_cast<std::int64_t>(i) * samples, samples);
    std::move(drawn.begin(), drawn.end(), std::back_inserter(sketches));
  }
  return sketches;
}

RetrievalResult evaluate_generator(const SketchSource& source, RetrievalNetwork& judge, const StoreView& view, int samples,
                                   Communicator& ranks) {
  const auto gallery = gallery_of(view, source.config.data.image_side);
  std::vector<std::int64_t> queries;
  for (const auto photo : gallery.photo) queries.insert(queries.end(), static_cast<std::size_t>(samples), photo);
  auto rasters = [&](std::int64_t first, std::int64_t last, std::vector<std::string>& bad) {
    std::vector<Sketch> sketches;
    for (auto query = first; query < last; ++query) {
      const auto photo = queries[static_cast<std::size_t>(query)];
      try {
        auto drawn = draw(source, photo_tensor(source, view, photo), photo * samples + query % samples, 1);
        sketches.push_back(std::move(drawn.front()));
      } catch (const DataError& error) {
        bad[static_cast<std::size_t>(query - first)] = error.what();
        sketches.push_back({{.x = kCanvasSide / 2, .y = kCanvasSide / 2, .pen = 1}});  // in its place, and not looked at
      }
    }
    return rasters_of(source, sketches).cpu();
  };
  const auto drawn = rasters_as_queries(queries, gallery, rasters);
  return evaluate_retrieval(judge, gallery, drawn, ranks, source.config.run.seed, source.config.data.max_bad_fraction);
}

}  // namespace duet
