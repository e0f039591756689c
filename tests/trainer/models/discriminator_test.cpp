#include "trainer/models/discriminator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/trainer/models/formula.h"

namespace duet {
namespace {

using testing::ElementsAre;

Tensor photos(std::int64_t count, std::int64_t side) {
  return (formula_values("photos", {count, side, side, 3}) * 127 + 128).to(at::kByte);
}
Tensor rasters(std::int64_t count, std::int64_t side) { return (formula_values("rasters", {count, side, side}) * 127 + 128).to(at::kByte); }

DiscriminatorConfig small() {
  DiscriminatorConfig config;
  config.width = 8;
  config.batch_norm = BatchNormMode::local;
  return config;
}

TEST(Discriminator, HasThePatchesAndWeightsOfPix2pix) {
  Discriminator network(DiscriminatorConfig{}, 256, {});
  std::int64_t weights = 0;
  for (const auto& [name, tensor] : network.parameters()) {
    if (tensor.dim() == 4) weights += tensor.numel();
  }
  EXPECT_EQ(weights, 2766848);
  at::NoGradGuard no_gradient;
  EXPECT_THAT(network.logits(photos(1, 256), rasters(1, 256)).sizes(), ElementsAre(1, 30, 30));
}

TEST(Discriminator, SeesThePhotoThenTheRasterThreeTimesFromMinusOneToOne) {
  auto config = small();
  config.layers = 1;
  config.norm = DiscriminatorNorm::instance;
  Discriminator network(config, 16, {.dtype = at::kDouble});
  auto photo = photos(2, 16), raster = rasters(2, 16);
  auto unit_photo = photo.permute({0, 3, 1, 2}).to(at::kDouble) / 127.5 - 1;
  auto unit_raster = raster.unsqueeze(1).to(at::kDouble) / 127.5 - 1;
  auto map = at::cat({unit_photo, unit_raster, unit_raster, unit_raster}, 1);
  auto parameters = network.parameters();
  ASSERT_EQ(parameters.size(), 5u) << "conv, conv, conv; a bias where no normalisation follows";
  map = at::leaky_relu(at::conv2d(map, parameters[0].tensor, parameters[1].tensor, 2, 1), 0.2);
  map = at::conv2d(map, parameters[2].tensor, {}, 1, 1);
  auto mean = map.mean({2, 3}, true), variance = map.var(at::IntArrayRef{2, 3}, false, true);
  map = at::leaky_relu((map - mean) / (variance + 1e-5).sqrt(), 0.2);
  map = at::conv2d(map, parameters[3].tensor, parameters[4].tensor, 1, 1);
  EXPECT_TRUE(at::allclose(network.logits(photo, raster), map.squeeze(1), 1e-10, 1e-12));
}

TEST(Discriminator, ScoresAreProbabilitiesWithoutGradientAndIndependentOfTheBatch) {
  for (auto norm : {DiscriminatorNorm::batch, DiscriminatorNorm::instance}) {
    auto config = small();
    config.norm = norm;
    Discriminator network(config, 32, {.dtype = at::kDouble});
    fill_by_formula(network);
    auto before = network.buffers().empty() ? Tensor() : network.buffers()[0].tensor.clone();
    auto photo = photos(4, 32), raster = rasters(4, 32);
    auto all = network.score(photo, raster);
    EXPECT_THAT(all.sizes(), ElementsAre(4));
    EXPECT_FALSE(all.requires_grad());
    EXPECT_TRUE(network.training()) << "the mode is put back";
    EXPECT_GE(all.min().item<double>(), 0);
    EXPECT_LE(all.max().item<double>(), 1);
    EXPECT_GT(all.std().item<double>(), 0);
    auto alone = network.score(photo.slice(0, 2, 3), raster.slice(0, 2, 3));
    EXPECT_NEAR(alone[0].item<double>(), all[2].item<double>(), 1e-12) << to_word(norm);
    if (before.defined()) {
      EXPECT_TRUE(at::equal(before, network.buffers()[0].tensor)) << "scoring moved the running statistics";
    }
  }
}

TEST(Discriminator, BothFormsOfTheScoreAreWhatTheirNamesSay) {
  auto config = small();
  Discriminator means(config, 32, {.dtype = at::kDouble});
  config.score = CertaintyScore::sigmoid_mean;
  Discriminator sigmoid(config, 32, {.dtype = at::kDouble});
  fill_by_formula(means);
  sigmoid.copy_from(means);
  auto photo = photos(2, 32), raster = rasters(2, 32);
  means.set_training(false);
  auto logits = means.logits(photo, raster).flatten(1);
  EXPECT_TRUE(at::allclose(means.score(photo, raster), logits.sigmoid().mean(1)));
  EXPECT_TRUE(at::allclose(sigmoid.score(photo, raster), logits.mean(1).sigmoid()));
  EXPECT_FALSE(at::allclose(means.score(photo, raster), sigmoid.score(photo, raster))) << "the test does not tell them apart";
}

TEST(Discriminator, LargerImagesAreAveragedOverAreas) {
  auto config = small();
  config.image_side = 32;
  Discriminator network(config, 64, {.dtype = at::kDouble});
  auto fine_photo = photos(2, 32).repeat_interleave(2, 1).repeat_interleave(2, 2),
       fine_raster = rasters(2, 32).repeat_interleave(2, 1).repeat_interleave(2, 2);
  EXPECT_TRUE(at::allclose(network.logits(fine_photo, fine_raster), network.logits(photos(2, 32), rasters(2, 32)), 1e-10, 1e-12));
}

TEST(Discriminator, InitialWeightsAreNormalWithDeviationTwoHundredths) {
  Discriminator network(DiscriminatorConfig{}, 256, {});
  EXPECT_NEAR(network.parameters()[2].tensor.std().item<double>(), 0.02, 0.0005);
}

TEST(Discriminator, ImagesTooSmallForItsLayersAreAUsageError) {
  EXPECT_NO_THROW(Discriminator(small(), 24, {}));
  EXPECT_THROW(Discriminator(small(), 16, {}), UsageError);
  auto config = small();
  config.layers = 12;
  EXPECT_THROW(Discriminator(config, 256, {}), UsageError);
}

}  // namespace
}  // namespace duet
