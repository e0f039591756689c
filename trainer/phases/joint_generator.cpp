#include "trainer/phases/joint_generator.h"

#include "cluster/reducer/tensor_collectives.h"
#include "trainer/objectives/triplet.h"
#include "trainer/phases/variational.h"

namespace duet {

JointGenerator::JointGenerator(const PhaseContext& context, Learner& learner) : context_(context), learner_(learner) {}

StepSamples JointGenerator::samples_per_step() const {
  const auto& joint = context_.config.joint;
  const bool draws = joint.policy > 0;
  const auto photos = joint.generator_batch + (draws ? joint.pool_batch : 0);
  return {.samples = photos, .photos = photos, .pseudo_sketches = draws ? photos : 0};
}

Json JointGenerator::place() const {
  return Json{{"reward_mean", reward_mean_.value}, {"reward_started", reward_mean_.started}, {"order", learner_.order_of(kPolicyPart)}};
}

void JointGenerator::set_place(const Json& place) {
  const std::string subject = "progress.json: joint_generator";
  reward_mean_ = {.value = member<double>(place, "reward_mean", subject), .started = member<bool>(place, "reward_started", subject)};
  learner_.set_order_of(kPolicyPart, member<std::vector<std::string>>(place, "order", subject));
}

JointGenerator::Photos JointGenerator::next_photos(std::int64_t done) {
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  Photos photos;
  photos.pairs = context_.streams.next(StreamName::joint_pairs);
  const auto& pairs = photos.pairs;
  photos.photos = photos_of(pairs, side, device);
  const auto maps = joint_trains_encoder(context_.config) ? trained_maps : encoded_maps;
  photos.map = maps(context_, CacheSource::labelled_map, pairs.photo, pairs.flipped, photos.photos);
  photos.photo = pairs.photo;
  photos.noise = noise_keys(NoiseKind::training, StreamName::joint_pool, done, pairs.position);
  photos.group.assign(photos.photo.size(), 0);
  if (context_.config.joint.policy > 0) {
    const auto pool = context_.streams.next(StreamName::joint_pool);
    const auto pool_photos = photos_of(pool, side, device);
    const auto map = encoded_maps(context_, CacheSource::pool_map, pool.photo, pool.flipped, pool_photos);
    photos.photos = at::cat({photos.photos, pool_photos});
    photos.map = at::cat({photos.map, map});
    photos.photo.insert(photos.photo.end(), pool.photo.begin(), pool.photo.end());
    photos.group.resize(photos.photo.size(), 1);
    const auto noise = noise_keys(NoiseKind::pool_in_block, StreamName::joint_pool, done, pool.position);
    photos.noise.place.insert(photos.noise.place.end(), noise.place.begin(), noise.place.end());
  }
  return photos;
}

Tensor JointGenerator::supervised_loss(const Photos& photos, std::int64_t done, StepReport& report) const {
  const auto& generator = context_.config.generator;
  const auto& joint = context_.config.joint;
  const VaeBatch global{.size = joint.generator_batch, .divergence_weight = generator.kl_weight, .divergence_floor = generator.kl_floor};
  const auto map = photos.map.narrow(0, 0, photos.pairs.size());
  const auto reach = joint.generator_scope == GeneratorScope::last_layer ? VariationalReach::output_layer : VariationalReach::all;
  const auto variational = variational_loss(context_, photos.pairs, map, StreamName::joint_pairs, done, global, reach);
  report.share(Quantity::reconstruction, variational.reconstruction.item<double>() / static_cast<double>(global.size));
  return joint.vae * variational.loss;
}

Tensor JointGenerator::rewards(const Photos& photos, const Tensor& rasters, std::int64_t done) const {
  at::NoGradGuard no_gradients;
  const Autocast autocast(context_.device);
  const auto& joint = context_.config.joint;
  auto& networks = context_.networks;
  const auto own = rasters.size(0);
  auto reward = at::zeros({own}, at::TensorOptions().dtype(context_.device.dtype).device(context_.device.device));
  if (joint.reward_triplet > 0) {
    const EvaluationMode evaluation(*networks.retrieval);
    const auto dimension = networks.retrieval->dimension();
    const auto gathered =
        all_gather_rows(at::cat({networks.retrieval->embed(rasters), networks.retrieval->embed(photos.photos)}, 1), context_.ranks.data);
    std::vector<std::int64_t> photo(static_cast<std::size_t>(gathered.size(0))), group(photo.size());
    context_.ranks.data.all_gather(photos.photo.data(), photo.data(), own, DataType::int64);
    context_.ranks.data.all_gather(photos.group.data(), group.data(), own, DataType::int64);
    const auto negative = negatives({photo, group}, context_.config.run.seed,
                                    static_cast<std::uint64_t>(noise_key(NoiseKind::training, StreamName::joint_pool, done).step));
    const auto sketch = gathered.narrow(1, 0, dimension), positive = gathered.narrow(1, dimension, dimension);
    const auto index = at::tensor(negative, at::kLong).to(positive.device());
    const auto terms = triplet_terms(sketch, positive, positive.index_select(0, index), context_.config.retrieval.margin);
    reward -= joint.reward_triplet * terms.narrow(0, own * context_.ranks.rank(), own);
  }
  if (joint.reward_discriminator > 0) reward += joint.reward_discriminator * networks.discriminator->score(photos.photos, rasters);
  return reward;
}

Tensor JointGenerator::baseline(const Photos& photos, double mean_reward, std::int64_t done) {
  double value = 0;
  switch (context_.config.joint.baseline) {
    case Baseline::greedy: {
      const auto sketches = context_.sketches();
      const auto greedy = draw_sketches(sketches, photos.map.detach(), photos.noise, /*temperature=*/0, /*keep_hidden=*/false);
      return rewards(photos, rasters_of(sketches, greedy.sketches), done);
    }
    case Baseline::mean:
      value = reward_mean_.started ? reward_mean_.value : mean_reward;
      reward_mean_.update(mean_reward);
      break;
    case Baseline::off:
      break;
  }
  return at::full({photos.map.size(0)}, value, at::TensorOptions().dtype(context_.device.dtype).device(context_.device.device));
}

Tensor JointGenerator::policy_loss(const Photos& photos, std::int64_t done, StepReport& report) {
  const auto& config = context_.config;
  const auto sketches = context_.sketches();
  const auto drawn = draw_sketches(sketches, photos.map.detach(), photos.noise, /*temperature=*/1, /*keep_hidden=*/true);
  const auto reward = rewards(photos, rasters_of(sketches, drawn.sketches), done);
  const auto global = static_cast<double>(reward.size(0)) * context_.ranks.size();
  const double mean_reward = context_.ranks.statistics.all_reduce(reward.sum().item<double>()) / global;
  const auto compared_with = baseline(photos, mean_reward, done);

  const auto& drawing = drawn.drawing;
  const auto output = context_.networks.generator->output(drawing.hidden);
  const auto likelihood = drawing_log_likelihood(output, drawing.offsets, drawing.pen, drawing.length);
  const PolicyOptions options{.weight = config.joint.policy,
                              .steps = config.joint.policy_norm == PolicyNorm::max ? static_cast<double>(config.generator.max_steps) : 1.0,
                              .batch = static_cast<std::int64_t>(global)};
  report.same(Quantity::reward, mean_reward);
  report.share(Quantity::drawn_steps, drawing.length.sum().item<double>() / global);
  return policy_gradient_loss(likelihood, reward, compared_with, options);
}

StepReport JointGenerator::step(std::int64_t done) {
  const auto& joint = context_.config.joint;
  const auto photos = next_photos(done);
  StepReport report;
  std::vector<LearnerLoss> losses;
  if (joint.policy > 0) losses.push_back({.loss = policy_loss(photos, done, report), .part = kPolicyPart});
  if (joint.vae > 0) losses.push_back({.loss = supervised_loss(photos, done, report)});
  const auto norm = learner_.apply(losses, joint.generator_learning_rate);
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, joint.generator_learning_rate);
  return report;
}

}  // namespace duet
