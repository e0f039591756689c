#include "trainer/phases/joint_generator.h"

#include <gmock/gmock.h>

#include "tests/trainer/phases/tiny_state.h"

namespace duet {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kGenerator = "generator.safetensors";
constexpr const char* kMoments = "optimiser-generator-joint.safetensors";

double value_of(const StepFigures& figures, Quantity wanted) {
  for (const auto& [quantity, value] : figures) {
    if (quantity == wanted) return value;
  }
  ADD_FAILURE() << "no '" << row_of(wanted).name << "'";
  return 0;
}

TEST(JointGenerator, PolicyGradientTouchesTheOutputLayerOnly) {
  TinyState alone([](TrainingConfig& config) {
    config.joint.vae = 0;
    config.generator.train_backbone = true;
  });
  const auto before = alone.files();
  alone.joint_generator(2);
  EXPECT_THAT(changed(before, alone.files(), kGenerator), UnorderedElementsAre("output.weight", "output.bias"));

  // Beside a variational loss that trains everything: what it adds shows in the first moments of one step.
  auto moments = [](double policy) {
    TinyState run([&](TrainingConfig& config) {
      config.joint.policy = policy;
      config.joint.generator_scope = GeneratorScope::all;
      config.generator.train_backbone = true;
    });
    run.joint_generator(1);
    return run.files();
  };
  EXPECT_THAT(changed(moments(0), moments(10), kMoments), UnorderedElementsAre("output.weight.first_moment", "output.weight.second_moment",
                                                                               "output.bias.first_moment", "output.bias.second_moment"));
}

TEST(JointGenerator, VariationalLossTrainsWhatTheScopeSays) {
  auto run_with = [](GeneratorScope scope, bool train_backbone) {
    TinyState run([&](TrainingConfig& config) {
      config.joint.policy = 0;
      config.joint.generator_scope = scope;
      config.generator.train_backbone = train_backbone;
      config.generator.kl_floor = 0;
    });
    const auto before = run.files();
    EXPECT_THAT(quantities_of(run.joint_generator(1)),
                UnorderedElementsAre(Quantity::reconstruction, Quantity::gradient_norm, Quantity::learning_rate));
    EXPECT_EQ(run.position(StreamName::joint_pool), std::nullopt) << "pool photos are for the policy gradient only";
    return changed(before, run.files(), kGenerator);
  };
  EXPECT_THAT(run_with(GeneratorScope::last_layer, true), UnorderedElementsAre("output.weight", "output.bias"));
  TinyState named;
  std::set<std::string> all, without_backbone;
  for (const auto& [name, tensor] : named.state.networks.generator->parameters()) {
    all.insert(name);
    if (!name.starts_with("backbone.")) without_backbone.insert(name);
  }
  EXPECT_EQ(run_with(GeneratorScope::all, true), all);
  EXPECT_EQ(run_with(GeneratorScope::all, false), without_backbone);
}

TEST(JointGenerator, EachRewardAsksItsOwnCritic) {
  auto depends = [](double reward_triplet, double reward_discriminator, const std::function<void(Networks&)>& disturbed) {
    auto after_steps = [&](bool other) {
      TinyState run([&](TrainingConfig& config) {
        config.joint.reward_triplet = reward_triplet;
        config.joint.reward_discriminator = reward_discriminator;
      });
      run.state.phase(Stage::joint, PhaseName::joint_generator);
      if (other) disturbed(run.state.networks);
      run.joint_generator(2);
      return run.files();
    };
    return !changed(after_steps(false), after_steps(true), kGenerator).empty();
  };
  auto retrieval = [](Networks& networks) { disturb(*networks.retrieval); };
  auto discriminator = [](Networks& networks) { disturb(*networks.discriminator); };
  EXPECT_TRUE(depends(1, 1, retrieval));
  EXPECT_TRUE(depends(1, 1, discriminator));
  EXPECT_FALSE(depends(0, 1, retrieval));
  EXPECT_FALSE(depends(1, 0, discriminator));
}

TEST(JointGenerator, CriticsStandStill) {
  TinyState run;
  run.state.phase(Stage::joint, PhaseName::joint_generator);
  const auto before = run.files();
  const auto figures = run.joint_generator(2);
  EXPECT_THAT(quantities_of(figures), UnorderedElementsAre(Quantity::reward, Quantity::drawn_steps, Quantity::reconstruction,
                                                           Quantity::gradient_norm, Quantity::learning_rate));
  EXPECT_GE(value_of(figures, Quantity::drawn_steps), 1);
  const auto after = run.files();
  for (const std::string network : {"retrieval", "retrieval-average", "teacher", "discriminator"}) {
    EXPECT_THAT(changed(before, after, network + ".safetensors"), IsEmpty()) << network;
  }
}

TEST(JointGenerator, EqualRewardsTeachNothing) {
  // Without critics every reward is zero, and so is what the batch's mean leaves of it.
  TinyState run([](TrainingConfig& config) {
    config.joint.vae = 0;
    config.joint.reward_triplet = config.joint.reward_discriminator = 0;
  });
  EXPECT_EQ(value_of(run.joint_generator(1), Quantity::gradient_norm), 0);
}

TEST(JointGenerator, BothGradientsAreClippedApart) {
  constexpr double kClip = 1e-3;
  auto norm = [](double vae, double policy) {
    TinyState run([&](TrainingConfig& config) {
      config.joint.vae = vae;
      config.joint.policy = policy;
      config.generator.clip = kClip;
    });
    return value_of(run.joint_generator(1), Quantity::gradient_norm);
  };
  EXPECT_NEAR(norm(1, 0), kClip, 1e-6 * kClip);
  EXPECT_NEAR(norm(0, 1e4), kClip, 1e-6 * kClip);
  // Clipped together they would have length kClip, and the policy's part would hide the other.
  const double both = norm(1, 1e4);
  EXPECT_GT(std::abs(both - kClip), 1e-3 * kClip);
  EXPECT_LE(both, 2 * kClip * (1 + 1e-6));
}

TEST(JointGenerator, TheRewardsMeanIsPartOfItsPlace) {
  TinyState run;
  run.joint_generator(1);
  auto& phase = run.state.phase(Stage::joint, PhaseName::joint_generator);
  const auto place = phase.place();
  EXPECT_TRUE(place.at("reward_started").get<bool>());
  EXPECT_NE(place.at("reward_mean").get<double>(), 0);
  phase.set_place(place);
  EXPECT_EQ(phase.place(), place);
}

}  // namespace
}  // namespace duet
