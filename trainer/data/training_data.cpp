#include "trainer/data/training_data.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/image/similarity_index.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

bool has_split(const Store& store, const std::string& split) {
  const auto splits = store.splits();
  return std::find(splits.begin(), splits.end(), split) != splits.end();
}

StoreView training_part(const std::shared_ptr<const Store>& store, const std::string& option) {
  if (!has_split(*store, "train")) {
    throw UsageError("{}: {} has no split 'train', only: {}.", option, store->path().string(), fmt::join(store->splits(), ", "));
  }
  return store->view("train");
}

void require_kind(const Store& store, const std::string& option, std::initializer_list<StoreKind> kinds) {
  if (std::find(kinds.begin(), kinds.end(), store.kind()) != kinds.end()) return;
  std::vector<std::string> names;
  for (const auto kind : kinds) names.push_back(to_string(kind));
  throw UsageError("{}: {} is a store of kind '{}'; it takes: {}.", option, store.path().string(), to_string(store.kind()),
                   fmt::join(names, ", "));
}

std::shared_ptr<const Store> open_store(const std::string& path, const std::string& option, const Json& known) {
  if (!known.contains(option)) return Store::open(path);
  const auto& expected = known.at(option);
  auto store = Store::open(path, member<std::int64_t>(expected, "generation", "progress.json: " + option));
  if (identity_of(*store) != member<std::string>(expected, "identity", "progress.json: " + option)) {
    throw DataError("data.{}: {} is not the store that this run was begun with. Give that store, or another --run.folder.", option, path);
  }
  return store;
}

void require_photos(const StoreView& view, std::int64_t batch, const char* store_option, const char* batch_option) {
  if (view.photo_count() >= std::min<std::int64_t>(batch, 2)) return;
  throw UsageError("{}: {} has {} photos in split '{}', too few for {} = {}.", store_option, view.store().path().string(),
                   view.photo_count(), view.split(), batch_option, batch);
}

}  // namespace

LookAlikes find_look_alikes(const StoreView& pool, const OpenedData& data) {
  SimilarityIndex index(kLookAlikeDistance);
  for (const auto* held_out : {&data.validation, &data.test}) {
    if (*held_out) (*held_out)->for_each_hash([&](std::int64_t, std::uint64_t hash) { index.add(hash); });
  }
  auto found = std::make_shared<std::unordered_set<std::int64_t>>();
  pool.for_each_hash([&](std::int64_t photo, std::uint64_t hash) {
    if (index.nearest(hash)) found->insert(photo);
  });
  LookAlikes result;
  result.count = static_cast<std::int64_t>(found->size());
  if (result.count > 0) result.excluded = [found](std::int64_t photo) { return found->contains(photo); };
  return result;
}

StoreView open_newer_pool(const TrainingConfig& config, const StoreView& present, std::int64_t generation) {
  const auto newer = Store::open(config.data.pool, generation);
  require_kind(*newer, "data.pool", {StoreKind::pool, StoreKind::pairs});
  const auto &before = present.store().manifest().shards, &after = newer->manifest().shards;
  const auto same = [](const ShardEntry& a, const ShardEntry& b) {
    return a.file == b.file && a.checksum == b.checksum && a.split == b.split;
  };
  if (after.size() < before.size() || !std::equal(before.begin(), before.end(), after.begin(), same)) {
    throw DataError("data.pool: generation {} of {} does not begin with the photos of generation {}: it is another store.", generation,
                    config.data.pool, present.generation());
  }
  return training_part(newer, "data.pool");
}

Json known_stores(const TrainingData& data) {
  Json known = Json::object();
  auto add = [&](const char* option, const std::optional<StoreView>& view) {
    if (view) known[option] = Json{{"generation", view->generation()}, {"identity", identity_of(view->store())}};
  };
  add("labelled", data.labelled);
  add("pool", data.pool);
  add("strokes", data.strokes);
  return known;
}

OpenedData open_data(const TrainingConfig& config, const Json& known) {
  const Schedule schedule(config);
  OpenedData data;
  if (config.data.labelled.empty()) throw UsageError("--data.labelled is needed: a store of labelled pairs (`duet import`, `duet synth`).");
  const auto labelled = open_store(config.data.labelled, "labelled", known);
  require_kind(*labelled, "data.labelled", {StoreKind::pairs});
  data.training.labelled = training_part(labelled, "data.labelled");
  require_photos(*data.training.labelled, config.retrieval.batch, "data.labelled", "retrieval.batch");
  if (has_split(*labelled, "validation")) data.validation = labelled->view("validation");
  if (has_split(*labelled, "test")) data.test = labelled->view("test");

  if (config.generator.stroke_steps > 0) {
    if (config.data.strokes.empty()) {
      throw UsageError("generator.stroke_steps is {}, but --data.strokes names no store.", config.generator.stroke_steps);
    }
    const auto strokes = open_store(config.data.strokes, "strokes", known);
    require_kind(*strokes, "data.strokes", {StoreKind::strokes, StoreKind::pairs});
    data.training.strokes = training_part(strokes, "data.strokes");
  }
  const auto& joint = config.joint;
  if (schedule.needs_pool()) {
    if (config.data.pool.empty()) throw UsageError("joint.steps is {}, but --data.pool names no store of photos.", joint.steps);
    const auto pool = open_store(config.data.pool, "pool", known);
    require_kind(*pool, "data.pool", {StoreKind::pool, StoreKind::pairs});
    data.training.pool = training_part(pool, "data.pool");
    require_photos(*data.training.pool, joint.pool_batch, "data.pool", "joint.pool_batch");
    const auto alike = find_look_alikes(*data.training.pool, data);
    data.training.excluded = alike.excluded;
    data.look_alikes = alike.count;
  }
  return data;
}

}  // namespace duet
