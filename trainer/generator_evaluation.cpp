#include "trainer/generator_evaluation.h"

#include "datasets/loader/sample.h"
#include "trainer/phases/pseudo_sketches.h"

namespace duet {
namespace {

// Apart from every training step's noise.
constexpr std::int64_t kEvaluationStep = (std::int64_t{1} << 47) - 1;

Tensor photo_tensor(const PhaseContext& context, const StoreView& view, std::int64_t photo) {
  const auto side = context.config.data.image_side;
  auto pixels = load_photo(view, photo, side);
  return at::from_blob(pixels.data(), {1, side, side, 3}, at::kByte).clone().to(context.device.device);
}

// One photo at a time: the map is then the same whatever stands beside it.
std::vector<Sketch> draw(const PhaseContext& context, const Tensor& photo, std::int64_t first_position, int samples) {
  at::NoGradGuard no_gradients;
  const EvaluationMode evaluation(*context.networks.generator);
  Tensor map;
  {
    const Autocast autocast(context.device);
    map = context.networks.generator->encode(photo).to(context.device.dtype);
  }
  std::vector<std::int64_t> positions;
  for (int sample = 0; sample < samples; ++sample) positions.push_back(first_position + sample);
  return draw_sketches(context, map.repeat({samples, 1, 1, 1}), {StreamName::generator_pairs, kEvaluationStep, positions}, 0, false)
      .sketches;
}

}  // namespace

std::vector<Sketch> sketches_of_photos(const PhaseContext& context, const StoreView& view, const std::vector<std::int64_t>& photos,
                                       int samples) {
  std::vector<Sketch> sketches;
  for (const auto photo : photos) {
    auto drawn = draw(context, photo_tensor(context, view, photo), photo * samples, samples);
    std::move(drawn.begin(), drawn.end(), std::back_inserter(sketches));
  }
  return sketches;
}

std::vector<Sketch> sketches_of_images(const PhaseContext& context, const std::vector<Tensor>& photos, int samples) {
  std::vector<Sketch> sketches;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    auto drawn = draw(context, photos[i].to(context.device.device), static_cast<std::int64_t>(i) * samples, samples);
    std::move(drawn.begin(), drawn.end(), std::back_inserter(sketches));
  }
  return sketches;
}

RetrievalResult evaluate_generator(const PhaseContext& context, RetrievalNetwork& judge, const StoreView& view, int samples) {
  const auto gallery = gallery_of(view, context.config.data.image_side);
  std::vector<std::int64_t> queries;
  for (const auto photo : gallery.photo) queries.insert(queries.end(), static_cast<std::size_t>(samples), photo);
  auto rasters = [&](std::int64_t first, std::int64_t last) {
    std::vector<Sketch> sketches;
    for (auto query = first; query < last; ++query) {
      const auto photo = queries[static_cast<std::size_t>(query)];
      auto drawn = draw(context, photo_tensor(context, view, photo), photo * samples + query % samples, 1);
      sketches.push_back(std::move(drawn.front()));
    }
    return rasters_of(context, sketches).cpu();
  };
  const auto source = rasters_as_queries(queries, gallery, rasters);
  return evaluate_retrieval(judge, gallery, source, context.ranks.control, context.config.run.seed, context.config.data.max_bad_fraction);
}

}  // namespace duet
