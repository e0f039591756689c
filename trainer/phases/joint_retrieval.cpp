#include "trainer/phases/joint_retrieval.h"

#include "base/error.h"
#include "cluster/reducer/tensor_collectives.h"
#include "trainer/objectives/distillation.h"
#include "trainer/phases/discriminator_warmup.h"
#include "trainer/phases/retrieval_pairs.h"

namespace duet {

JointRetrieval::JointRetrieval(const PhaseContext& context, Learner& retrieval, Learner* discriminator)
    : context_(context), retrieval_(retrieval), discriminator_(discriminator) {}

StepSamples JointRetrieval::samples_per_step() const {
  const auto& joint = context_.config.joint;
  const auto pool = joint.pool > 0 ? joint.pool_batch : 0;
  const auto rows = joint.labelled_batch + pool;
  return {.samples = 2 * rows, .triplets = rows, .photos = rows, .pseudo_sketches = draws_pseudo_sketches() ? joint.pool_batch : 0};
}

bool JointRetrieval::draws_pseudo_sketches() const { return context_.config.joint.pool > 0 || discriminator_ != nullptr; }

void JointRetrieval::seek_pool(const StreamState& place) {
  auto& streams = context_.streams;
  if (context_.config.joint.pool > 0) streams.at(StreamName::pool).seek(place);
  streams.at(StreamName::pool_plain).seek(place);
}

void JointRetrieval::draw_block(std::int64_t first_step) {
  const auto& config = context_.config;
  const auto side = config.data.image_side;
  auto& streams = context_.streams;
  const bool trained_on = config.joint.pool > 0;
  block_.clear();
  const auto steps = std::min(config.joint.retrieval_steps, config.joint.steps - first_step);
  std::vector<Tensor> maps;
  std::vector<std::int64_t> positions;
  for (std::int64_t i = 0; i < steps; ++i) {
    auto& batch = block_.emplace_back();
    if (trained_on) batch.augmented = streams.next(StreamName::pool);
    batch.plain = streams.next(StreamName::pool_plain);
    batch.plain_photos = photos_of(batch.plain, side, context_.device.device);
    maps.push_back(encoded_maps(context_, CacheSource::pool_map, batch.plain.photo, batch.plain.flipped, batch.plain_photos));
    positions.insert(positions.end(), batch.plain.position.begin(), batch.plain.position.end());
  }
  const auto keys = noise_keys(NoiseKind::training, StreamName::pool, first_step, positions);
  const auto drawn = draw_sketches(context_.sketches(), at::cat(maps), keys, config.joint.temperature, false);
  const auto plain = rasters_of(context_.sketches(), drawn.sketches);
  const auto moved = trained_on ? rasters_of(context_.sketches(), augmented(context_.sketches(), drawn.sketches, keys)) : Tensor();
  std::int64_t row = 0;
  for (auto& batch : block_) {
    batch.plain_rasters = plain.narrow(0, row, batch.plain.size());
    if (trained_on) batch.moved_rasters = moved.narrow(0, row, batch.plain.size());
    row += batch.plain.size();
  }
  block_start_ = first_step;
}

Tensor JointRetrieval::teacher_distance_labelled(const Batch& plain, const Tensor& photos, const Tensor& rasters) const {
  return pair_distance(teacher_embeddings(context_, CacheSource::labelled_sketch_teacher, plain.record, plain.flipped, rasters),
                       teacher_embeddings(context_, CacheSource::labelled_photo_teacher, plain.photo, plain.flipped, photos));
}

Tensor JointRetrieval::teacher_distance_pool(const PoolBatch& pool) const {
  at::NoGradGuard no_gradients;
  const Autocast autocast(context_.device);
  const auto sketch = context_.networks.teacher->embed(pool.plain_rasters);
  return pair_distance(
      sketch, teacher_embeddings(context_, CacheSource::pool_photo_teacher, pool.plain.photo, pool.plain.flipped, pool.plain_photos));
}

StepReport JointRetrieval::step(std::int64_t done) {
  const auto& config = context_.config;
  const auto& joint = config.joint;
  auto& networks = context_.networks;
  auto& streams = context_.streams;
  const auto side = config.data.image_side;
  const auto device = context_.device.device;
  const auto ranks = static_cast<double>(context_.ranks.size());
  const bool with_pool = joint.pool > 0;
  const bool with_teacher = joint.distillation > 0;

  const auto inside = done % joint.retrieval_steps;
  if (draws_pseudo_sketches() && block_start_ != done - inside) {
    if (inside == 0) {
      block_place_ = to_json(streams.at(StreamName::pool_plain).state());
    } else {  // resumed inside a block: draw it again from where it began
      seek_pool(stream_state_from_json(block_place_, "progress.json: pool block"));
    }
    draw_block(done - inside);
  }
  const PoolBatch* drawn = draws_pseudo_sketches() ? &block_.at(static_cast<std::size_t>(inside)) : nullptr;
  const PoolBatch* pool = with_pool ? drawn : nullptr;  // what F learns from

  const auto labelled = streams.next(StreamName::joint_labelled);
  Batch plain;
  Tensor plain_photos, plain_rasters;
  if (with_teacher || discriminator_ != nullptr) {
    plain = streams.next(StreamName::joint_plain);
    plain_photos = photos_of(plain, side, device);
    plain_rasters = rasters_of(plain, side, device);
  }
  const auto n_labelled = labelled.size();
  const auto n_pool = pool ? pool->plain.size() : 0;

  // ω is a constant of this step, by D as it is before its own update (docs/method.md §5).
  Tensor certainty;
  if (pool && joint.certainty > 0) {
    const Autocast autocast(context_.device);
    certainty = networks.discriminator->score(pool->plain_photos, pool->plain_rasters).to(context_.device.dtype);
  }

  Tensor photo, sketch;
  {
    const Autocast autocast(context_.device);
    auto photos = photos_of(labelled, side, device), rasters = rasters_of(labelled, side, device);
    if (pool) {
      photos = at::cat({photos, photos_of(pool->augmented, side, device)});
      rasters = at::cat({rasters, pool->moved_rasters});
    }
    photo = networks.retrieval->embed(photos);
    sketch = networks.retrieval->embed(rasters);
  }
  const auto plain_options = sketch.options().requires_grad(false);

  const auto human = gather_pairs(context_.ranks, sketch.narrow(0, 0, n_labelled), photo.narrow(0, 0, n_labelled), labelled.photo,
                                  at::ones({n_labelled}, plain_options));
  const auto labelled_loss =
      retrieval_loss(config.retrieval, human, config.run.seed, noise_key(NoiseKind::training, StreamName::joint_labelled, done).step);
  Tensor loss = labelled_loss, pool_loss, drift;
  double teacher_distance = 0;
  if (pool) {
    const auto weight = certainty.defined() ? 1 - joint.certainty + joint.certainty * certainty : at::ones({n_pool}, plain_options);
    const auto pseudo =
        gather_pairs(context_.ranks, sketch.narrow(0, n_labelled, n_pool), photo.narrow(0, n_labelled, n_pool), pool->plain.photo, weight);
    pool_loss = retrieval_loss(config.retrieval, pseudo, config.run.seed, noise_key(NoiseKind::training, StreamName::pool, done).step);
    loss = loss + joint.pool * pool_loss;
  }
  if (with_teacher) {
    auto teacher = teacher_distance_labelled(plain, plain_photos, plain_rasters);
    if (pool) teacher = at::cat({teacher, teacher_distance_pool(*pool)});
    const auto terms = distillation_terms(teacher, pair_distance(sketch, photo), joint.distillation_form);
    drift = terms.sum() / (static_cast<double>(n_labelled + n_pool) * ranks);
    teacher_distance = teacher.mean().item<double>() / ranks;  // of as many pairs on every rank
    loss = loss + joint.distillation * drift;
  }
  const auto norm = retrieval_.apply(loss, joint.learning_rate);
  if (networks.average) networks.average->update(*networks.retrieval);

  StepReport report;
  report.same(Quantity::labelled, labelled_loss.item<double>());
  if (pool) report.same(Quantity::pool, pool_loss.item<double>());
  if (with_teacher) {
    report.share(Quantity::distillation, drift.item<double>());
    report.share(Quantity::teacher_distance, teacher_distance);
  }
  if (certainty.defined()) {
    const auto all = all_gather_rows(certainty, context_.ranks.data).to(at::kDouble).cpu();
    report.same(Quantity::certainty, all.mean().item<double>());
    report.same(Quantity::certainty_p10, all.quantile(0.1).item<double>());
    report.same(Quantity::certainty_p50, all.quantile(0.5).item<double>());
    report.same(Quantity::certainty_p90, all.quantile(0.9).item<double>());
  }
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, joint.learning_rate);
  if (discriminator_ != nullptr) {
    report.append(train_discriminator(context_, *discriminator_, plain_photos, plain_rasters, drawn->plain_photos, drawn->plain_rasters));
  }
  return report;
}

}  // namespace duet
