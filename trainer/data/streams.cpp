#include "trainer/data/streams.h"

#include "base/error.h"

namespace duet {
namespace {

constexpr std::array kPoolStreams{StreamName::pool, StreamName::pool_plain, StreamName::joint_pool};

std::string key_of(StreamName name) { return fmt::format("{}", static_cast<int>(name)); }

// The augmented and the plain stream of the same photos must visit the same rows.
std::int64_t salt_of(StreamName name) {
  if (name == StreamName::joint_plain) return static_cast<std::int64_t>(StreamName::joint_labelled);
  if (name == StreamName::pool_plain) return static_cast<std::int64_t>(StreamName::pool);
  return static_cast<std::int64_t>(name);
}

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
  auto view_of = [&](const std::optional<StoreView>& view, const char* option) {
    if (!view) throw UsageError("--data.{} names no store, but this stage needs one.", option);
    return *view;
  };
  const Augmentation flipped{.flip = config_.data.flip};
  const auto augmented = augmentation_of(config_.data);
  BatchOptions options;
  options.seed = config_.run.seed;
  options.stream_salt = salt_of(name);
  options.rank = rank_;
  options.ranks = ranks_;
  options.image_side = config_.data.image_side;
  options.threads = config_.data.loader_threads;
  options.queue_depth = config_.data.queue_depth;
  options.max_bad_fraction = config_.data.max_bad_fraction;
  options.augmentation = flipped;
  options.ink_dark_on_white = config_.run.sketch_polarity == Polarity::dark_on_white;
  options.simplify_epsilon = config_.generator.simplify_epsilon;
  options.simplify_chord = config_.generator.simplify_distance;
  options.max_steps = config_.generator.max_steps;
  switch (name) {
    case StreamName::strokes:
      options.view = view_of(data_.strokes, "strokes");
      options.global_batch = config_.generator.batch;
      options.by_sketch = options.sequences = true;
      options.photos = options.view.store().kind() == StoreKind::pairs;
      options.rasters = !options.photos;
      options.ink_dark_on_white = true;  // pseudo photos are dark on white (docs/method.md §3.7)
      break;
    case StreamName::generator_pairs:
    case StreamName::joint_pairs:
      options.view = view_of(data_.labelled, "labelled");
      options.global_batch = name == StreamName::joint_pairs ? config_.joint.generator_batch : config_.generator.batch;
      options.by_sketch = options.sequences = true;
      break;
    case StreamName::retrieval:
    case StreamName::joint_labelled:
    case StreamName::joint_plain:
    case StreamName::warmup_pairs:
      options.view = view_of(data_.labelled, "labelled");
      options.global_batch = name == StreamName::retrieval ? config_.retrieval.batch : config_.joint.labelled_batch;
      options.by_sketch = options.rasters = true;
      if (name == StreamName::retrieval || name == StreamName::joint_labelled) options.augmentation = augmented;
      break;
    case StreamName::pool:
    case StreamName::pool_plain:
    case StreamName::joint_pool:
      options.view = view_of(data_.pool, "pool");
      options.global_batch = config_.joint.pool_batch;
      options.excluded = data_.excluded;
      if (name == StreamName::pool) options.augmentation = augmented;
      break;
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
  for (const auto name : kPoolStreams) {
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
