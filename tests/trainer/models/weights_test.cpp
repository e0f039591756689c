#include "trainer/models/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/trainer/models/formula.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Weights : public testing::Test {
 protected:
  std::unique_ptr<Backbone> tiny(std::uint64_t seed) { return make_backbone("tiny", BatchNormMode::frozen, {.seed = seed}); }

  std::string refusal(Module& module, const std::filesystem::path& file, const std::string& prefix = "") {
    auto before = module.parameters()[0].tensor.detach().clone();
    try {
      load_weights(module, file, prefix);
    } catch (const DataError& error) {
      EXPECT_TRUE(at::equal(before, module.parameters()[0].tensor)) << "a refused file changed the network";
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "weights.safetensors";
};

TEST_F(Weights, OfTheSameNetworkAreLoadedWhole) {
  auto from = tiny(1), to = tiny(2);
  fill_by_formula(*from);
  from->set_normalisation({{0, 0, 0}, {1, 1, 1}});
  write_safetensors(file_, from->state());
  auto report = load_backbone_weights(*to, file_);
  for (std::size_t i = 0; i < from->state().size(); ++i) {
    EXPECT_TRUE(at::equal(from->state()[i].tensor, to->state()[i].tensor)) << from->state()[i].name;
  }
  EXPECT_EQ(report.fitting, static_cast<std::int64_t>(from->state().size()));
  EXPECT_THAT(report.unused, IsEmpty());
  EXPECT_EQ(to->normalisation().deviation[0], 1) << "the file's own normalisation counts";
}

TEST_F(Weights, OfAnotherPrecisionAreConvertedAndForeignTensorsReported) {
  auto from = make_backbone("tiny", BatchNormMode::frozen, {.dtype = at::kDouble, .seed = 1});
  auto state = from->parameters();
  for (auto& buffer : from->buffers()) {
    if (buffer.name.find("input_") == std::string::npos) state.push_back(buffer);
  }
  state.push_back({"layers.0.bn.num_batches_tracked", at::full({}, 7, at::kLong)});
  state.push_back({"fc.weight", at::zeros({10, 64})});
  write_safetensors(file_, state);
  auto to = tiny(2);
  auto report = load_weights(*to, file_);
  EXPECT_THAT(report.unused, ElementsAre("fc.weight"));
  EXPECT_TRUE(at::equal(from->parameters()[0].tensor.to(at::kFloat), to->parameters()[0].tensor));
}

TEST_F(Weights, BehindAPrefixAreFound) {
  auto from = tiny(1), to = tiny(2);
  auto state = from->state();
  for (auto& tensor : state) tensor.name = "backbone." + tensor.name;
  write_safetensors(file_, state);
  load_weights(*to, file_, "backbone.");
  EXPECT_TRUE(at::equal(from->parameters()[0].tensor, to->parameters()[0].tensor));
  EXPECT_THAT(refusal(*to, file_), HasSubstr("not in the file"));
}

TEST_F(Weights, OfAnotherNetworkAreRefusedWithWhatFitsAndWhatTheFileSeemsToBe) {
  auto mobilenet = make_backbone("mobilenet_v2", BatchNormMode::frozen, {});
  write_safetensors(file_, mobilenet->state());
  auto network = tiny(2);
  EXPECT_THAT(refusal(*network, file_),
              AllOf(HasSubstr("weights.safetensors"), HasSubstr("2 of the network's 22 tensors fit"), HasSubstr("20 are not in the file"),
                    HasSubstr("layers.0.conv.weight"), HasSubstr("By its keys the file is of 'mobilenet_v2'")));
}

TEST_F(Weights, OfAnotherShapeAreRefusedWithBothShapes) {
  auto network = tiny(2);
  auto state = network->state();
  state[0].tensor = at::zeros({16, 1, 3, 3});
  write_safetensors(file_, state);
  EXPECT_THAT(refusal(*network, file_), HasSubstr("layers.0.conv.weight: 16x1x3x3 in the file, 16x3x3x3 in the network"));
}

TEST_F(Weights, OfATypeThatHoldsNoFractionsAreRefusedOnlyWhereTheNetworkNeedsThem) {
  auto network = tiny(2);
  auto state = network->state();
  state.push_back({"index", at::zeros({3}, at::kLong)});
  write_safetensors(file_, state);
  EXPECT_THAT(load_weights(*network, file_).unused, ElementsAre("index"));
  state[0].tensor = state[0].tensor.to(at::kByte);
  write_safetensors(file_, state);
  EXPECT_THAT(refusal(*network, file_), HasSubstr("layers.0.conv.weight: of type U8 in the file"));
}

TEST_F(Weights, MetadataOrElseImageNetDecideTheNormalisation) {
  auto network = tiny(1);
  NamedTensors state;
  for (auto& tensor : network->state()) {
    if (tensor.name.find("input_") == std::string::npos) state.push_back(tensor);
  }
  auto mean_for = [&](const std::map<std::string, std::string>& metadata) {
    network->set_normalisation({{9, 9, 9}, {9, 9, 9}});
    write_safetensors(file_, state, metadata);
    load_backbone_weights(*network, file_);
    return network->normalisation().mean[0];
  };
  EXPECT_NEAR(mean_for({}), 0.485, 1e-6);
  EXPECT_NEAR(mean_for({{"input", "RGB/255, ImageNet mean/std"}}), 0.485, 1e-6);
  EXPECT_EQ(mean_for({{"input", "RGB/255"}}), 0);
  EXPECT_EQ(mean_for({{"input", "(x - 0.5) / 0.5"}}), 0.5);
}

TEST_F(Weights, AnOptionSaysTheScalingThatTheFileDoesNot) {
  auto network = tiny(1);
  NamedTensors state;
  for (auto& tensor : network->state()) {
    if (tensor.name.find("input_") == std::string::npos) state.push_back(tensor);
  }
  write_safetensors(file_, state, {{"input", "RGB/255, ImageNet mean/std"}});
  EXPECT_THAT(load_backbone_weights(*network, file_, WeightsScaling::half).scaling, HasSubstr("(x - 0.5) / 0.5"));
  EXPECT_EQ(network->normalisation().mean[0], 0.5);
  load_backbone_weights(*network, file_, WeightsScaling::caffe);
  EXPECT_NEAR(network->normalisation().deviation[0], 1.0 / 255, 1e-8);
}

TEST_F(Weights, OfInceptionTakeTorchvisionsScalingWhereNothingIsSaid) {
  auto network = make_backbone("inception_v3", BatchNormMode::frozen, {.seed = 1});
  NamedTensors state;
  for (auto& tensor : network->state()) {
    if (tensor.name.find("input_") == std::string::npos) state.push_back(tensor);
  }
  write_safetensors(file_, state);
  load_backbone_weights(*network, file_);
  EXPECT_EQ(network->normalisation().mean[2], 0.5);
  EXPECT_EQ(network->normalisation().deviation[2], 0.5);
}

TEST_F(Weights, BehindAPrefixOfAllKeysAreTakenAndItIsSaid) {
  auto from = tiny(1), to = tiny(2);
  auto state = from->state();
  for (auto& tensor : state) tensor.name = "module._orig_mod." + tensor.name;
  write_safetensors(file_, state);
  EXPECT_EQ(load_backbone_weights(*to, file_).prefix, "module._orig_mod.");
  EXPECT_TRUE(at::equal(from->parameters()[0].tensor, to->parameters()[0].tensor));
}

TEST_F(Weights, ThatCannotHaveBeenTrainedAreRefused) {
  auto network = tiny(1);
  const auto refused = [&](const std::string& name, const Tensor& tensor) -> std::string {
    auto state = network->state();
    for (auto& entry : state) {
      if (entry.name == name) entry.tensor = tensor.expand(entry.tensor.sizes());
    }
    write_safetensors(file_, state);
    try {
      load_backbone_weights(*network, file_);
    } catch (const DataError& error) {
      return error.what();
    }
    return "loaded";
  };
  EXPECT_THAT(refused("layers.0.bn.running_var", at::full({}, -1.0F)), AllOf(HasSubstr("variances below zero"), HasSubstr("contiguous")));
  EXPECT_THAT(refused("layers.1.conv.weight", at::full({}, NAN)), HasSubstr("not finite"));
  EXPECT_THAT(refused("layers.1.conv.weight", at::zeros({})), HasSubstr("zero throughout"));
  EXPECT_THAT(refused("layers.0.bn.running_var", at::zeros({})), HasSubstr("zero throughout"));
  EXPECT_THAT(refused("layers.1.conv.weight", at::full({}, 1e5F)), HasSubstr("weights above"));
}

TEST_F(Weights, OfAWholeBackboneServeTheOneThatEndsEarlier) {
  auto whole = make_backbone("mobilenet_v2", BatchNormMode::frozen, {.seed = 1});
  auto early = make_backbone("mobilenet_v2", BatchNormMode::frozen, {.seed = 2}, BackboneTap::generator);
  write_safetensors(file_, whole->state());
  auto report = load_weights(*early, file_);
  EXPECT_THAT(report.unused, testing::Contains("features.18.0.weight"));
  EXPECT_TRUE(at::equal(whole->parameters()[9].tensor, early->parameters()[9].tensor));
}

}  // namespace
}  // namespace duet
