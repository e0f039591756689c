#include "trainer/phases/joint_retrieval.h"

#include <gmock/gmock.h>

#include "tests/trainer/phases/tiny_state.h"
#include "trainer/phases/retrieval_pairs.h"

namespace duet {
namespace {

using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

const auto* const kData = testing::AddGlobalTestEnvironment(new TinyData);

constexpr const char* kRetrieval = "retrieval.safetensors";

/// Which parameters of F two runs disagree on after some steps, when `disturbed` is done to the second one's networks before.
std::set<std::string> depends(const std::function<void(TrainingConfig&)>& configure, const std::function<void(Networks&)>& disturbed) {
  TinyState plain(configure), other(configure);
  plain.state.phase(Stage::joint, PhaseName::joint_retrieval);  // enters the stage: the teacher is there
  other.state.phase(Stage::joint, PhaseName::joint_retrieval);
  disturbed(other.state.networks);
  plain.joint_retrieval(3);
  other.joint_retrieval(3);
  return changed(plain.files(), other.files(), kRetrieval);
}

TEST(JointRetrieval, WithoutPoolAndTeacherItIsAPlainSupervisedStep) {
  auto configure = [](TrainingConfig& config) {
    config.joint.pool = 0;
    config.joint.distillation = 0;
    config.joint.generator_steps = 0;
    config.generator.pair_steps = 0;
  };
  TinyState joint(configure), plain(configure);
  const auto figures = joint.joint_retrieval(4);
  EXPECT_THAT(quantities_of(figures), UnorderedElementsAre(Quantity::labelled, Quantity::gradient_norm, Quantity::learning_rate));

  const auto& config = plain.config;
  auto& network = *plain.state.networks.retrieval;
  Learner learner(network.parameters(), plain.ranks().gradients, config.cluster, {});
  for (std::int64_t step = 0; step < 4; ++step) {
    const auto batch = plain.state.streams.next(StreamName::joint_labelled);
    const auto photo = network.embed(photos_of(batch, config.data.image_side, at::kCPU));
    const auto sketch = network.embed(rasters_of(batch, config.data.image_side, at::kCPU));
    const auto pairs = gather_pairs(plain.ranks(), sketch, photo, batch.photo, at::ones({batch.size()}));
    learner.apply(
        retrieval_loss(config.retrieval, pairs, config.run.seed, noise_key(NoiseKind::training, StreamName::joint_labelled, step).step),
        config.joint.learning_rate);
  }
  EXPECT_THAT(changed(joint.files(), plain.files(), kRetrieval), IsEmpty());
  EXPECT_EQ(joint.position(StreamName::pool), std::nullopt) << "photos were read for a term that is off";
  EXPECT_EQ(joint.position(StreamName::pool_plain), std::nullopt);
  EXPECT_EQ(joint.state.networks.generator, nullptr);
  EXPECT_EQ(joint.state.networks.discriminator, nullptr);
  EXPECT_EQ(joint.state.networks.teacher, nullptr);
}

TEST(JointRetrieval, AsksTheDiscriminatorForCertaintyOnly) {
  auto blind = [](TrainingConfig& config) { config.joint.certainty = 0; };
  auto disturbed = [](Networks& networks) { disturb(*networks.discriminator); };
  EXPECT_THAT(depends(blind, disturbed), IsEmpty());
  EXPECT_THAT(depends({}, disturbed), Not(IsEmpty()));
  TinyState run(blind);
  EXPECT_THAT(quantities_of(run.joint_retrieval(1)),
              UnorderedElementsAre(Quantity::labelled, Quantity::pool, Quantity::distillation, Quantity::teacher_distance,
                                   Quantity::discriminator, Quantity::discriminator_gradient_norm, Quantity::discriminator_learning_rate,
                                   Quantity::gradient_norm, Quantity::learning_rate));
}

TEST(JointRetrieval, AsksTheTeacherForDistillationOnly) {
  auto free = [](TrainingConfig& config) { config.joint.distillation = 0; };
  auto disturbed = [](Networks& networks) { disturb(*networks.teacher); };
  EXPECT_THAT(depends(free, disturbed), IsEmpty());
  EXPECT_THAT(depends({}, disturbed), Not(IsEmpty()));
  TinyState run(free);
  EXPECT_THAT(
      quantities_of(run.joint_retrieval(1)),
      UnorderedElementsAre(Quantity::labelled, Quantity::pool, Quantity::certainty, Quantity::certainty_p10, Quantity::certainty_p50,
                           Quantity::certainty_p90, Quantity::discriminator, Quantity::discriminator_gradient_norm,
                           Quantity::discriminator_learning_rate, Quantity::gradient_norm, Quantity::learning_rate));
}

TEST(JointRetrieval, WithoutPoolPhotosGeneratorAndDiscriminatorAreLeftAlone) {
  auto configure = [](TrainingConfig& config) { config.joint.pool = config.joint.reward_discriminator = 0; };
  EXPECT_THAT(depends(configure, [](Networks& networks) { disturb(*networks.generator); }), IsEmpty());
  EXPECT_THAT(depends({}, [](Networks& networks) { disturb(*networks.generator); }), Not(IsEmpty()));
  TinyState run(configure);
  EXPECT_THAT(quantities_of(run.joint_retrieval(1)),
              UnorderedElementsAre(Quantity::labelled, Quantity::distillation, Quantity::teacher_distance, Quantity::gradient_norm,
                                   Quantity::learning_rate));
  EXPECT_EQ(run.position(StreamName::pool), std::nullopt);
}

TEST(JointRetrieval, ADiscriminatorThatOnlyRewardsLearnsFromPairsOfItsOwn) {
  auto configure = [](TrainingConfig& config) { config.joint.pool = 0; };
  EXPECT_THAT(depends(configure, [](Networks& networks) { disturb(*networks.generator), disturb(*networks.discriminator); }), IsEmpty())
      << "F learns from no generated sketch";
  TinyState run(configure);
  run.state.phase(Stage::joint, PhaseName::joint_retrieval);
  const auto before = run.files();
  EXPECT_THAT(quantities_of(run.joint_retrieval(1)),
              UnorderedElementsAre(Quantity::labelled, Quantity::distillation, Quantity::teacher_distance, Quantity::gradient_norm,
                                   Quantity::learning_rate, Quantity::discriminator, Quantity::discriminator_gradient_norm,
                                   Quantity::discriminator_learning_rate));
  const auto after = run.files();
  EXPECT_THAT(changed(before, after, "discriminator.safetensors"), Not(IsEmpty())) << "D stays as its warm-up left it";
  EXPECT_EQ(run.position(StreamName::pool), std::nullopt) << "augmented photos are read for nobody";
  EXPECT_EQ(run.position(StreamName::pool_plain), run.config.joint.retrieval_steps * run.config.joint.pool_batch);

  // As with the pool's term, D of the same weights takes the same steps.
  TinyState with_pool;
  with_pool.joint_retrieval(1);
  EXPECT_THAT(changed(after, with_pool.files(), "discriminator.safetensors"), IsEmpty());
}

TEST(JointRetrieval, CertaintyWeighsPseudoPairsAsAConstant) {
  // A discriminator that is 1/(1 + e) certain of every pair makes ω a factor of the pool's term.
  constexpr double kLogit = -1, kCertainty = 0.6;
  const double omega = 1 / (1 + std::exp(-kLogit));
  auto after_steps = [&](double certainty, double pool) {
    TinyState run([&](TrainingConfig& config) { config.joint.certainty = certainty, config.joint.pool = pool; }, at::kDouble);
    auto& networks = run.state.networks;
    networks.begin_joint();
    {
      const at::NoGradGuard no_gradients;
      const auto parameters = networks.discriminator->parameters();
      for (const auto& [name, tensor] : parameters) tensor.zero_();
      parameters.back().tensor.fill_(kLogit);
    }
    Learner learner(networks.retrieval->parameters(), run.ranks().gradients, run.config.cluster, {});
    JointRetrieval phase(run.state.context(), learner, nullptr);
    for (std::int64_t step = 0; step < 3; ++step) phase.step(step);
    for (const auto& [name, tensor] : networks.discriminator->parameters()) {
      EXPECT_FALSE(tensor.grad().defined()) << "the loss of F reaches '" << name << "' of D";
    }
    return Files{{kRetrieval, copy_of(run.files())[kRetrieval]}, {"moments", copy_of({{"m", learner.state()}})["m"]}};
  };
  const auto weighed = after_steps(kCertainty, 2);
  EXPECT_LT(distance(weighed, after_steps(0, 2 * (1 - kCertainty + kCertainty * omega))).relative, 1e-9);
  EXPECT_GT(distance(weighed, after_steps(0, 2)).relative, 1e-3) << "the weights make no difference";
}

TEST(JointRetrieval, DrawsOneBlockEveryCycle) {
  TinyState run([](TrainingConfig& config) {
    config.joint.retrieval_steps = 3;
    config.joint.steps = 7;
  });
  const std::vector<std::int64_t> batches{3, 3, 3, 6, 6, 6, 7};  // read after each step; the last cycle is a short one
  for (std::int64_t step = 0; step < 7; ++step) {
    run.joint_retrieval(1, step);
    const auto expected = batches[static_cast<std::size_t>(step)] * run.config.joint.pool_batch;
    EXPECT_EQ(run.position(StreamName::pool), expected) << "after step " << step;
    EXPECT_EQ(run.position(StreamName::pool_plain), expected) << "after step " << step;
  }
}

TEST(JointRetrieval, PseudoSketchesOfABlockAreThoseOfItsBeginning) {
  TinyState plain, other;
  for (auto* run : {&plain, &other}) run->joint_retrieval(1);
  disturb(*other.state.networks.generator);
  for (auto* run : {&plain, &other}) run->joint_retrieval(1, 1);
  EXPECT_THAT(changed(plain.files(), other.files(), kRetrieval), IsEmpty());
  for (auto* run : {&plain, &other}) run->joint_retrieval(1, 2);
  EXPECT_THAT(changed(plain.files(), other.files(), kRetrieval), Not(IsEmpty())) << "the next block should be drawn by the generator anew";
}

TEST(JointRetrieval, FeaturesMayBeKeptOrNot) {
  auto after_steps = [](int mebibytes) {
    TinyState run([&](TrainingConfig& config) { config.data.cache_mebibytes = mebibytes; });
    run.joint_retrieval(8);  // samples come again: two epochs
    run.joint_generator(2);
    EXPECT_EQ(run.state.context().cache.bytes() > 0, mebibytes > 0);
    return run.files();
  };
  const auto kept = after_steps(64), computed = after_steps(0);
  for (const auto& [file, tensors] : kept) EXPECT_THAT(changed(kept, computed, file), IsEmpty()) << file;
}

TEST(JointRetrieval, TeacherIsTheAverageAtTheBeginningAndStaysSo) {
  TinyState run;
  run.steps(Stage::retrieval, PhaseName::retrieval_fit, 4);
  const auto average = run.files().at("retrieval-average.safetensors");
  run.state.phase(Stage::joint, PhaseName::joint_retrieval);
  const auto begun = run.files();
  for (const auto& [name, tensor] : begun.at("teacher.safetensors")) {
    const auto same =
        std::find_if(average.begin(), average.end(), [&, wanted = name](const NamedTensor& other) { return other.name == wanted; });
    ASSERT_NE(same, average.end()) << name;
    EXPECT_TRUE(at::equal(tensor, same->tensor)) << name;
  }
  EXPECT_EQ(distance({{"f", begun.at(kRetrieval)}}, {{"f", begun.at("teacher.safetensors")}}).relative, 0) << "F goes on from the average";
  run.joint_retrieval(3);
  EXPECT_THAT(changed(begun, run.files(), "teacher.safetensors"), IsEmpty());
  EXPECT_THAT(changed(begun, run.files(), kRetrieval), Not(IsEmpty()));
}

}  // namespace
}  // namespace duet
