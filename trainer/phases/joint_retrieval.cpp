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

StepReport JointRetrieval::step(std::int64_t done) {
  const auto drawn = draw(done);
  const auto certainty = certainty_of(drawn);
  const auto embedded = embed(drawn);
  const auto losses = losses_of(drawn, embedded, certainty, done);
  const auto norm = retrieval_.apply(losses.total, context_.config.joint.learning_rate);
  if (context_.networks.average) context_.networks.average->update(*context_.networks.retrieval);

  auto report = report_of(losses, certainty, norm);
  if (discriminator_ != nullptr) {
    report.append(train_discriminator(context_, *discriminator_, drawn.plain_photos, drawn.plain_rasters, drawn.pseudo->plain_photos,
                                      drawn.pseudo->plain_rasters));
  }
  return report;
}

bool JointRetrieval::draws_pseudo_sketches() const { return context_.config.joint.pool > 0 || discriminator_ != nullptr; }

JointRetrieval::Drawn JointRetrieval::draw(std::int64_t done) {
  const auto& joint = context_.config.joint;
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  Drawn drawn;
  if (draws_pseudo_sketches()) {
    drawn.pseudo = &pool_batch(done);
    if (joint.pool > 0) drawn.pool = drawn.pseudo;
  }
  drawn.labelled = context_.streams.next(StreamName::joint_labelled);
  if (joint.distillation > 0 || discriminator_ != nullptr) {
    drawn.plain = context_.streams.next(StreamName::joint_plain);
    drawn.plain_photos = photos_of(drawn.plain, side, device);
    drawn.plain_rasters = rasters_of(drawn.plain, side, device);
  }
  return drawn;
}

const JointRetrieval::PoolBatch& JointRetrieval::pool_batch(std::int64_t done) {
  const auto inside = done % context_.config.joint.retrieval_steps;
  if (block_start_ != done - inside) {
    if (inside == 0) {
      block_place_ = to_json(context_.streams.at(StreamName::pool_plain).state());
    } else {  // resumed inside a block: draw it again from where it began
      seek_pool(stream_state_from_json(block_place_, "progress.json: pool block"));
    }
    draw_block(done - inside);
  }
  return block_.at(static_cast<std::size_t>(inside));
}

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

Tensor JointRetrieval::certainty_of(const Drawn& drawn) const {
  if (drawn.pool == nullptr || context_.config.joint.certainty <= 0) return {};
  const Autocast autocast(context_.device);
  return context_.networks.discriminator->score(drawn.pool->plain_photos, drawn.pool->plain_rasters).to(context_.device.dtype);
}

JointRetrieval::Embedded JointRetrieval::embed(const Drawn& drawn) const {
  const auto side = context_.config.data.image_side;
  const auto device = context_.device.device;
  const Autocast autocast(context_.device);
  auto photos = photos_of(drawn.labelled, side, device), rasters = rasters_of(drawn.labelled, side, device);
  if (drawn.pool != nullptr) {
    photos = at::cat({photos, photos_of(drawn.pool->augmented, side, device)});
    rasters = at::cat({rasters, drawn.pool->moved_rasters});
  }
  auto& retrieval = *context_.networks.retrieval;
  const auto photo = retrieval.embed(photos);  // before the sketches: running statistics see them in this order
  return {.photo = photo, .sketch = retrieval.embed(rasters)};
}

JointRetrieval::Losses JointRetrieval::losses_of(const Drawn& drawn, const Embedded& embedded, const Tensor& certainty,
                                                 std::int64_t done) const {
  const auto& joint = context_.config.joint;
  const auto labelled = drawn.labelled.size();
  const auto ones = at::ones({embedded.sketch.size(0)}, embedded.sketch.options().requires_grad(false));
  Losses losses;
  losses.labelled =
      pairs_loss(embedded.rows(0, labelled), drawn.labelled.photo, ones.narrow(0, 0, labelled), StreamName::joint_labelled, done);
  losses.total = losses.labelled;
  if (drawn.pool != nullptr) {
    const auto pool = drawn.pool->plain.size();
    const auto weight = certainty.defined() ? 1 - joint.certainty + joint.certainty * certainty : ones.narrow(0, labelled, pool);
    losses.pool = pairs_loss(embedded.rows(labelled, pool), drawn.pool->plain.photo, weight, StreamName::pool, done);
    losses.total = losses.total + joint.pool * losses.pool;
  }
  if (joint.distillation > 0) {
    losses.teacher = teacher_distances(drawn);
    const auto terms = distillation_terms(losses.teacher, pair_distance(embedded.sketch, embedded.photo), joint.distillation_form);
    losses.drift = terms.sum() / (static_cast<double>(terms.size(0)) * context_.ranks.size());
    losses.total = losses.total + joint.distillation * losses.drift;
  }
  return losses;
}

Tensor JointRetrieval::pairs_loss(const Embedded& embedded, const std::vector<std::int64_t>& photo, const Tensor& weight, StreamName stream,
                                  std::int64_t done) const {
  const auto& config = context_.config;
  const auto pairs = gather_pairs(context_.ranks, embedded.sketch, embedded.photo, photo, weight);
  return retrieval_loss(config.retrieval, pairs, config.run.seed, noise_key(NoiseKind::training, stream, done).step);
}

Tensor JointRetrieval::teacher_distances(const Drawn& drawn) const {
  const auto& plain = drawn.plain;
  const auto labelled =
      pair_distance(teacher_embeddings(context_, CacheSource::labelled_sketch_teacher, plain.record, plain.flipped, drawn.plain_rasters),
                    teacher_embeddings(context_, CacheSource::labelled_photo_teacher, plain.photo, plain.flipped, drawn.plain_photos));
  if (drawn.pool == nullptr) return labelled;
  const auto& pool = *drawn.pool;
  const at::NoGradGuard no_gradients;
  const Autocast autocast(context_.device);
  const auto sketch = context_.networks.teacher->embed(pool.plain_rasters);
  const auto photo = teacher_embeddings(context_, CacheSource::pool_photo_teacher, pool.plain.photo, pool.plain.flipped, pool.plain_photos);
  return at::cat({labelled, pair_distance(sketch, photo)});
}

StepReport JointRetrieval::report_of(const Losses& losses, const Tensor& certainty, double norm) const {
  StepReport report;
  report.same(Quantity::labelled, losses.labelled.item<double>());
  if (losses.pool.defined()) report.same(Quantity::pool, losses.pool.item<double>());
  if (losses.drift.defined()) {
    report.share(Quantity::distillation, losses.drift.item<double>());
    // Of as many pairs on every rank.
    report.share(Quantity::teacher_distance, losses.teacher.mean().item<double>() / context_.ranks.size());
  }
  if (certainty.defined()) {
    const auto all = all_gather_rows(certainty, context_.ranks.data).to(at::kDouble).cpu();
    report.same(Quantity::certainty, all.mean().item<double>());
    report.same(Quantity::certainty_p10, all.quantile(0.1).item<double>());
    report.same(Quantity::certainty_p50, all.quantile(0.5).item<double>());
    report.same(Quantity::certainty_p90, all.quantile(0.9).item<double>());
  }
  report.same(Quantity::gradient_norm, norm);
  report.same(Quantity::learning_rate, context_.config.joint.learning_rate);
  return report;
}

}  // namespace duet
