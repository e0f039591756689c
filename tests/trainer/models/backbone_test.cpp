#include "trainer/models/backbone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "tests/trainer/models/backbone_reference.h"
#include "tests/trainer/models/formula.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor formula_images(std::int64_t side) { return formula_values("image", {2, 3, side, side}); }

std::string label(const BackboneReference& reference) {
  return fmt::format("{}_{}_{}", reference.name, reference.tap == BackboneTap::final ? "final" : "generator",
                     reference.training ? "training" : "evaluation");
}

class EveryBackbone : public testing::TestWithParam<BackboneReference> {};

TEST_P(EveryBackbone, EqualsTorchvisionInFloat64) {
  const auto& reference = GetParam();
  auto network = make_backbone(reference.name, BatchNormMode::local, {.dtype = at::kDouble}, reference.tap);
  fill_by_formula(*network);
  network->set_training(reference.training);

  auto map = network->forward(formula_images(reference.side).contiguous(at::MemoryFormat::ChannelsLast)).contiguous();
  ASSERT_EQ(map.sizes(), at::IntArrayRef(reference.shape));
  EXPECT_EQ(map.size(1), network->channels());
  auto tolerance = 1e-9 * reference.deviation;
  EXPECT_NEAR(map.mean().item<double>(), reference.mean, tolerance);
  EXPECT_NEAR(map.std(/*unbiased=*/false).item<double>(), reference.deviation, tolerance);
  auto flat = map.flatten();
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(flat[i * (flat.numel() - 1) / 3].item<double>(), reference.picked[i], 10 * tolerance) << "value " << i;
  }

  (map * formula_values("slope", map.sizes())).sum().backward();
  auto gradient = network->parameters()[0].tensor.grad().norm().item<double>();
  EXPECT_NEAR(gradient, reference.gradient_norm, 1e-7 * reference.gradient_norm);
}

TEST_P(EveryBackbone, StaysWithinAFewThousandthsInFloat32) {
  const auto& reference = GetParam();
  auto network = make_backbone(reference.name, BatchNormMode::local, {}, reference.tap);
  fill_by_formula(*network);
  network->set_training(reference.training);
  at::NoGradGuard no_gradient;
  auto map = network->forward(formula_images(reference.side).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast)).contiguous();
  auto flat = map.flatten();
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(flat[i * (flat.numel() - 1) / 3].item<double>(), reference.picked[i], 5e-3 * reference.deviation) << "value " << i;
  }
}

TEST(Backbones, EachIsMadeByItsNameAndToldFromTheOthersByItsKernel) {
  for (const auto& [name, kind] : backbone_kinds()) {
    EXPECT_EQ(make_backbone(name, BatchNormMode::frozen, {})->name(), name);
    for (const auto& [other, its] : backbone_kinds()) {
      const auto state = make_backbone(other, BatchNormMode::frozen, {})->state();
      const bool found =
          std::ranges::any_of(state, [&](const NamedTensor& each) { return each.name == kind.telling_kernel && each.tensor.dim() == 4; });
      EXPECT_EQ(found, name == other) << kind.telling_kernel << " in " << other;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, EveryBackbone, testing::ValuesIn(backbone_references()),
                         [](const auto& instance) { return label(instance.param); });

TEST(Backbone, FrozenNormalisationGivesTheFeaturesOfEvaluation) {
  for (std::string name : {"tiny", "mobilenet_v2"}) {
    auto frozen = make_backbone(name, BatchNormMode::frozen, {.dtype = at::kDouble});
    auto other = make_backbone(name, BatchNormMode::local, {.dtype = at::kDouble});
    fill_by_formula(*frozen);
    other->copy_from(*frozen);
    other->set_training(false);
    auto images = formula_images(64);
    EXPECT_TRUE(at::allclose(frozen->forward(images), other->forward(images), 1e-12, 1e-12)) << name;
  }
}

TEST(Backbone, EveryParameterHasAGradientAtBothTaps) {
  for (std::string name : {"tiny", "mobilenet_v2", "inception_v3", "vgg16"}) {
    for (auto tap : {BackboneTap::final, BackboneTap::generator}) {
      auto network = make_backbone(name, BatchNormMode::frozen, {}, tap);
      auto side = std::max<std::int64_t>(network->smallest_side(), 32);
      network->forward(at::ones({1, 3, side, side})).sum().backward();
      for (const auto& [key, tensor] : network->parameters()) EXPECT_TRUE(tensor.grad().defined()) << name << " " << key;
    }
  }
}

TEST(Backbone, SmallestSideIsTheSmallestThatLeavesAPosition) {
  at::NoGradGuard no_gradient;
  for (std::string name : {"tiny", "mobilenet_v2", "inception_v3", "vgg16"}) {
    for (auto tap : {BackboneTap::final, BackboneTap::generator}) {
      auto network = make_backbone(name, BatchNormMode::frozen, {}, tap);
      auto side = network->smallest_side();
      auto map = network->forward(at::zeros({1, 3, side, side}));
      EXPECT_GE(map.size(2), 1) << name;
      if (side > 1) {
        EXPECT_ANY_THROW(network->forward(at::zeros({1, 3, side - 1, side - 1}))) << name << " also takes " << side - 1;
        EXPECT_THROW(network->features(at::zeros({1, side - 1, side - 1}, at::kByte)), InternalError) << name;
      }
    }
  }
}

TEST(Backbone, AnUnknownNameIsAUsageErrorThatListsTheKnownOnes) {
  try {
    make_backbone("resnet50", BatchNormMode::frozen, {});
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("resnet50"));
    EXPECT_THAT(error.what(), HasSubstr("mobilenet_v2"));
  }
}

TEST(UnitImages, PhotosAreReadAsRowsOfPixelsAndRastersAsOneChannel) {
  auto photos = at::arange(2 * 4 * 5 * 3, at::kByte).view({2, 4, 5, 3});
  auto unit = unit_images(photos, at::kDouble);
  EXPECT_THAT(unit.sizes(), ElementsAre(2, 3, 4, 5));
  EXPECT_TRUE(unit.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_DOUBLE_EQ(unit[1][2][3][4].item<double>(), photos[1][3][4][2].item<int>() / 255.0);

  auto rasters = at::arange(2 * 4 * 5, at::kByte).view({2, 4, 5});
  auto lines = unit_images(rasters, at::kDouble);
  EXPECT_THAT(lines.sizes(), ElementsAre(2, 1, 4, 5));
  EXPECT_DOUBLE_EQ(lines[1][0][3][4].item<double>(), 39 / 255.0);

  EXPECT_TRUE(at::equal(unit_images(unit, at::kDouble), unit)) << "floating images are in 0…1 already";
  EXPECT_THROW(unit_images(at::zeros({2, 3, 4, 5}, at::kByte), at::kDouble), InternalError) << "channels first in bytes is a mistake";
}

TEST(Normalisation, SubtractsTheMeanAndDividesByTheDeviationOfEachChannel) {
  auto network = make_backbone("tiny", BatchNormMode::frozen, {.dtype = at::kDouble});
  network->set_normalisation({{0.1, 0.2, 0.3}, {0.5, 0.25, 2}});
  auto normalised = network->normalise(at::full({1, 2, 2}, 51, at::kByte));  // 51 / 255 = 0.2
  const std::array expected{0.2, 0.0, -0.05};
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(normalised[0][channel][1][1].item<double>(), expected[channel], 1e-15) << "channel " << channel;
  }
  auto copy = make_backbone("tiny", BatchNormMode::frozen, {.dtype = at::kDouble});
  copy->copy_from(*network);
  EXPECT_DOUBLE_EQ(copy->normalisation().deviation[2], 2) << "copies see images as the original does";
}

TEST(Normalisation, ARasterIsThreeEqualChannels) {
  auto network = make_backbone("tiny", BatchNormMode::frozen, {});
  auto raster = (formula_values("raster", {2, 16, 16}) * 127 + 128).to(at::kByte);
  auto photo = raster.unsqueeze(3).expand({-1, -1, -1, 3}).contiguous();
  EXPECT_TRUE(at::equal(network->features(raster), network->features(photo)));
}

}  // namespace
}  // namespace duet
