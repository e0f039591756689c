#include "trainer/models/draw_noise.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

const std::vector<std::int64_t> kSamples{5, 900, 17};

TEST(DrawNoise, OfASampleIsTheSameInAnyBatch) {
  const auto latent = latent_noise(1, 7, kSamples, 6), drawing = drawing_noise(1, 7, kSamples, 4);
  for (std::size_t i = 0; i < kSamples.size(); ++i) {
    const std::vector<std::int64_t> alone{kSamples[i]};
    EXPECT_TRUE(latent_noise(1, 7, alone, 6)[0].equal(latent[static_cast<std::int64_t>(i)]));
    EXPECT_TRUE(drawing_noise(1, 7, alone, 4)[0].equal(drawing[static_cast<std::int64_t>(i)]));
    EXPECT_TRUE(drawing_noise(1, 7, alone, 2)[0].equal(drawing[static_cast<std::int64_t>(i)].narrow(0, 0, 2)));
  }
}

TEST(DrawNoise, DiffersBySeedStepAndSample) {
  const auto base = latent_noise(1, 7, kSamples, 6);
  EXPECT_FALSE(base[0].equal(base[1]));
  EXPECT_FALSE(base.equal(latent_noise(2, 7, kSamples, 6)));
  EXPECT_FALSE(base.equal(latent_noise(1, 8, kSamples, 6)));
}

TEST(DrawNoise, HasTheDistributionsItNames) {
  std::vector<std::int64_t> samples(2000);
  std::iota(samples.begin(), samples.end(), 0);
  const auto noise = drawing_noise(3, 0, samples, 20).flatten(0, 1);
  for (const int uniform : {0, 3}) {
    const auto values = noise.select(1, uniform);
    EXPECT_GE(values.min().item<double>(), 0);
    EXPECT_LT(values.max().item<double>(), 1);
    EXPECT_NEAR(values.mean().item<double>(), 0.5, 0.01);
    EXPECT_NEAR(values.var().item<double>(), 1.0 / 12, 0.003);
  }
  const auto normals = at::cat({noise.select(1, 1), noise.select(1, 2), latent_noise(3, 0, samples, 8).flatten()});
  EXPECT_NEAR(normals.mean().item<double>(), 0, 0.015);
  EXPECT_NEAR(normals.var().item<double>(), 1, 0.03);
}

}  // namespace
}  // namespace duet
