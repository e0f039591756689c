#include "trainer/data/streams.h"

#include <algorithm>

#include "base/error.h"

namespace duet {
namespace {

struct Source {
  std::optional<StoreView> TrainingData::*view;
  const char* option;  // that names the store
};
constexpr Source kStrokes{&TrainingData::strokes, "strokes"}, kLabelled{&TrainingData::labelled, "labelled"},
    kPool{&TrainingData::pool, "pool"};

enum class Rows { photos, rasters, sequences };  // photos alone, or sketches in either form with their photos
enum class Moves { flipped, augmented };

struct StreamPlan {
  StreamName name;
  StreamName order;  // streams that share one visit the same rows in the same order
  const Source* source;
  Rows rows;
  Moves moves;
  std::int64_t (*global_batch)(const TrainingConfig& config);
};

constexpr auto kGeneratorBatch = [](const TrainingConfig& config) { return config.generator.batch; };
constexpr auto kRetrievalBatch = [](const TrainingConfig& config) { return config.retrieval.batch; };
constexpr auto kJointBatch = [](const TrainingConfig& config) { return config.joint.labelled_batch; };
constexpr auto kPoolBatch = [](const TrainingConfig& config) { return config.joint.pool_batch; };
constexpr auto kJointPairsBatch = [](const TrainingConfig& config) { return config.joint.generator_batch; };

using enum StreamName;
constexpr std::array kPlans{
    StreamPlan{strokes, strokes, &kStrokes, Rows::sequences, Moves::flipped, kGeneratorBatch},
    StreamPlan{generator_pairs, generator_pairs, &kLabelled, Rows::sequences, Moves::flipped, kGeneratorBatch},
    StreamPlan{retrieval, retrieval, &kLabelled, Rows::rasters, Moves::augmented, kRetrievalBatch},
    StreamPlan{joint_labelled, joint_labelled, &kLabelled, Rows::rasters, Moves::augmented, kJointBatch},
    StreamPlan{joint_plain, joint_labelled, &kLabelled, Rows::rasters, Moves::flipped, kJointBatch},
    StreamPlan{pool, pool, &kPool, Rows::photos, Moves::augmented, kPoolBatch},
    StreamPlan{pool_plain, pool, &kPool, Rows::photos, Moves::flipped, kPoolBatch},
    StreamPlan{joint_pairs, joint_pairs, &kLabelled, Rows::sequences, Moves::flipped, kJointPairsBatch},
    StreamPlan{joint_pool, joint_pool, &kPool, Rows::photos, Moves::flipped, kPoolBatch},
    StreamPlan{warmup_pairs, warmup_pairs, &kLabelled, Rows::rasters, Moves::flipped, kJointBatch},
};

const StreamPlan& plan_of(StreamName name) { return *std::ranges::find(kPlans, name, &StreamPlan::name); }

std::string key_of(StreamName name) { return fmt::format("{}", static_cast<int>(name)); }

Tensor bytes_tensor(const std::vector<std::uint8_t>& bytes, at::IntArrayRef shape, at::Device device) {
  // from_blob shares the batch's memory, which does not outlive it; clone() owns.
  return at::from_blob(const_cast<std::uint8_t*>(bytes.data()), shape, at::kByte).clone().to(device);
}

}  // namespace

Streams::Streams(const TrainingConfig& config, const Ranks& ranks, TrainingData data)
    : config_(config), rank_(ranks.rank()), ranks_(ranks.size()), data_(std::move(data)) {}

Augmentation augmentation_of(const DataConfig& config) {
  return {.flip = config.flip, .rotate_degrees = config.rotate_degrees, .scale = config.scale, .shift = config.shift};
}

BatchOptions Streams::options_of(StreamName name) const {
  const auto& plan = plan_of(name);
  const auto& view = data_.*plan.source->view;
  if (!view) throw UsageError("--data.{} names no store, but this stage needs one.", plan.source->option);
  BatchOptions options;
  options.view = *view;
  options.seed = config_.run.seed;
  options.stream_salt = static_cast<std::int64_t>(plan.order);
  options.global_batch = plan.global_batch(config_);
  options.rank = rank_;
  options.ranks = ranks_;
  options.image_side = config_.data.image_side;
  options.threads = config_.data.loader_threads;
  options.queue_depth = config_.data.queue_depth;
  options.max_bad_fraction = config_.data.max_bad_fraction;
  options.by_sketch = plan.rows != Rows::photos;
  options.rasters = plan.rows == Rows::rasters;
  options.sequences = plan.rows == Rows::sequences;
  options.augmentation = plan.moves == Moves::augmented ? augmentation_of(config_.data) : Augmentation{.flip = config_.data.flip};
  options.ink_dark_on_white = config_.run.sketch_polarity == Polarity::dark_on_white;
  options.simplify_epsilon = config_.generator.simplify_epsilon;
  options.simplify_chord = config_.generator.simplify_distance;
  options.max_steps = config_.generator.max_steps;
  if (plan.source == &kPool) options.excluded = data_.excluded;
  if (plan.source == &kStrokes && view->store().kind() != StoreKind::pairs) {
    // The drawings' own rasters are the pseudo photos, dark on white (docs/method.md §3.7).
    options.photos = false;
    options.rasters = options.ink_dark_on_white = true;
  }
  return options;
}

BatchStream& Streams::at(StreamName name) {
  auto& stream = made_[name];
  if (!stream) {
    stream = std::make_unique<BatchStream>(options_of(name));
    if (const auto place = places_.find(name); place != places_.end()) stream->seek(place->second);
  }
  return *stream;
}

Batch Streams::next(StreamName name) {
  auto batch = at(name).next();
  wait_seconds_ += batch.wait_seconds;
  return batch;
}

void Streams::adopt_pool(StoreView newer, std::function<bool(std::int64_t)> excluded) {
  data_.pool = std::move(newer);
  data_.excluded = std::move(excluded);
  for (const auto& plan : kPlans) {
    if (plan.source != &kPool) continue;
    const auto name = plan.name;
    if (const auto stream = made_.find(name); stream != made_.end()) {
      // The exclusions belong to the generation, so the stream is made anew and its place moved to a new epoch.
      auto place = stream->second->state();
      place.generation = data_.pool->generation();
      ++place.epoch;
      place.consumed = 0;
      places_[name] = place;
      made_.erase(stream);
    } else if (const auto place = places_.find(name); place != places_.end()) {
      place->second.generation = data_.pool->generation();
      ++place->second.epoch;
      place->second.consumed = 0;
    }
  }
}

Json Streams::state() const {
  Json json = Json::object();
  for (const auto& [name, place] : places_) json[key_of(name)] = to_json(place);
  for (const auto& [name, stream] : made_) json[key_of(name)] = to_json(stream->state());
  return json;
}

void Streams::load_state(const Json& state) {
  places_.clear();
  made_.clear();
  for (int name = static_cast<int>(StreamName::strokes); name <= static_cast<int>(StreamName::warmup_pairs); ++name) {
    const auto key = fmt::format("{}", name);
    if (state.contains(key)) places_[static_cast<StreamName>(name)] = stream_state_from_json(state.at(key), "progress.json: stream " + key);
  }
}

std::vector<std::string> Streams::take_bad_samples() {
  std::vector<std::string> texts;
  for (auto& [name, stream] : made_) {
    for (const auto& bad : stream->take_bad_samples()) texts.push_back(bad.reason);
  }
  return texts;
}

double Streams::take_wait_seconds() { return std::exchange(wait_seconds_, 0); }

Tensor photos_of(const Batch& batch, int side, at::Device device) {
  return bytes_tensor(batch.photos, {batch.size(), side, side, 3}, device);
}

Tensor rasters_of(const Batch& batch, int side, at::Device device) {
  return bytes_tensor(batch.rasters, {batch.size(), side, side}, device);
}

}  // namespace duet
