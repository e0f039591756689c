#include "trainer/loop/run_state.h"

#include "cluster/run/run_folder.h"
#include "trainer/data/training_data.h"
#include "trainer/phases/discriminator_warmup.h"
#include "trainer/phases/generator_fit.h"
#include "trainer/phases/joint_generator.h"
#include "trainer/phases/joint_retrieval.h"
#include "trainer/phases/retrieval_fit.h"

namespace duet {
namespace {

// The published code's first moment for G, pix2pix's for D (docs/method.md §3.5, §4).
constexpr double kGeneratorBeta = 0.5;

// The learner of the generator's own fit, on strokes and pairs.
constexpr const char* kGeneratorFit = "generator";

// What Learner must average: running statistics that ranks move apart. Global ones are the same on all ranks, frozen ones stand still.
NamedTensors local_statistics(const Module& network, BatchNormMode mode) {
  return mode == BatchNormMode::local ? network.buffers() : NamedTensors();
}

std::string key_of(Stage stage, PhaseName phase) { return to_word(stage) + "/" + to_word(phase); }

constexpr auto file_of = &CheckpointFile::of_network;
constexpr auto optimiser_file_of = &CheckpointFile::of_optimiser;

}  // namespace

RunState::RunState(const TrainingConfig& config, const Ranks& ranks, const Device& device, TrainingData data)
    : networks(config, &ranks.statistics, device),
      streams(config, ranks, std::move(data)),
      config_(config),
      ranks_(ranks),
      device_(device),
      cache_(std::int64_t{config.data.cache_mebibytes} << 20) {
  if (networks.generator && config.generator.initial.empty()) {
    const auto scale = streams.data().labelled->store().manifest().offsets.scale();
    if (!scale) throw DataError("{}: its sketches have no extent, so offsets cannot be scaled.", config.data.labelled);
    networks.generator->set_offset_scale(*scale);
  }
}

PhaseContext RunState::context() { return {config_, ranks_, device_, networks, streams, cache_}; }

Learner& RunState::learner(const std::string& name, const std::function<std::unique_ptr<Learner>()>& make) {
  auto& made = learners_[name];
  if (!made) {
    made = make();
    if (const auto saved = saved_learners_.find(name); saved != saved_learners_.end()) {
      made->load(saved->second.state, saved->second.order, saved->second.skipped_in_a_row);
      saved_learners_.erase(saved);
    }
  }
  return *made;
}

Learner& RunState::retrieval_learner() {
  return learner("retrieval", [&] {
    const AdamOptions adam{.weight_decay = config_.retrieval.weight_decay, .clip = config_.retrieval.clip};
    return std::make_unique<Learner>(
        networks.retrieval->parameters(), ranks_.gradients, config_.cluster,
        LearnerOptions{adam, config_.run.skipped_limit, local_statistics(*networks.retrieval, config_.retrieval.batch_norm), "retrieval"});
  });
}

Learner& RunState::generator_learner(bool joint) {
  auto statistics = [&](bool moving) {
    return moving ? local_statistics(networks.generator->backbone(), config_.generator.batch_norm) : NamedTensors();
  };
  if (!joint) {
    return learner(kGeneratorFit, [&] {
      const AdamOptions adam{.beta1 = kGeneratorBeta, .clip = config_.generator.clip};
      return std::make_unique<Learner>(
          networks.generator->trained_parameters(), ranks_.gradients, config_.cluster,
          LearnerOptions{adam, config_.run.skipped_limit, statistics(config_.generator.train_backbone), "generator"});
    });
  }
  return learner("generator-joint", [&] {
    // Without the variational term only the policy gradient is left, which reaches the output layer alone.
    const bool all = config_.joint.generator_scope == GeneratorScope::all && config_.joint.vae > 0;
    auto parameters = all ? networks.generator->trained_parameters() : networks.generator->output_parameters();
    return std::make_unique<Learner>(std::move(parameters), ranks_.gradients, config_.cluster,
                                     LearnerOptions{.adam = {.beta1 = kGeneratorBeta},
                                                    .skipped_limit = config_.run.skipped_limit,
                                                    .statistics = statistics(joint_trains_encoder(config_)),
                                                    .network = "generator",
                                                    .parts = {{JointGenerator::kPolicyPart, networks.generator->output_parameters()}},
                                                    .clip_each = config_.generator.clip});
  });
}

Learner& RunState::discriminator_learner() {
  return learner("discriminator", [&] {
    return std::make_unique<Learner>(networks.discriminator->parameters(), ranks_.gradients, config_.cluster,
                                     LearnerOptions{{.beta1 = kGeneratorBeta},
                                                    config_.run.skipped_limit,
                                                    local_statistics(*networks.discriminator, config_.discriminator.batch_norm),
                                                    "discriminator"});
  });
}

std::unique_ptr<Phase> RunState::make_phase(Stage stage, PhaseName name) {
  switch (name) {
    case PhaseName::generator_fit: {
      const auto stream = stage == Stage::strokes ? StreamName::strokes : StreamName::generator_pairs;
      return std::make_unique<GeneratorFit>(context(), stream, generator_learner(false));
    }
    case PhaseName::retrieval_fit:
      return std::make_unique<RetrievalFit>(context(), retrieval_learner());
    case PhaseName::discriminator_warmup:
      return std::make_unique<DiscriminatorWarmup>(context(), discriminator_learner());
    case PhaseName::joint_retrieval:
      return std::make_unique<JointRetrieval>(context(), retrieval_learner(), networks.discriminator ? &discriminator_learner() : nullptr);
    case PhaseName::joint_generator:
      return std::make_unique<JointGenerator>(context(), generator_learner(true));
  }
  throw InternalError("no phase {}", static_cast<int>(name));
}

Phase& RunState::phase(Stage stage, PhaseName name) {
  if (stage == Stage::joint) {
    if (!joint_begun) begin_joint();
    end_generator_fit();
  }
  const auto key = key_of(stage, name);
  auto& made = phases_[key];
  if (!made) {
    made = make_phase(stage, name);
    if (saved_places_.contains(key)) {
      made->set_place(saved_places_[key]);
      saved_places_.erase(key);
    }
  }
  return *made;
}

void RunState::begin_joint() {
  networks.begin_joint();
  joint_begun = true;
}

// The joint stage has a learner of its own for G. A run that is asked for more steps of the fit afterwards begins its moments anew.
void RunState::end_generator_fit() {
  phases_.erase(key_of(Stage::strokes, PhaseName::generator_fit));
  phases_.erase(key_of(Stage::pairs, PhaseName::generator_fit));
  learners_.erase(kGeneratorFit);
  saved_learners_.erase(kGeneratorFit);
}

CheckpointContent RunState::content() const {
  CheckpointContent content;
  auto& files = content.files;
  files[file_of("retrieval")] = networks.retrieval->state();
  if (networks.average) files[file_of("retrieval-average")] = networks.average->state();
  if (networks.teacher) files[file_of("teacher")] = networks.teacher->state();
  if (networks.generator) files[file_of("generator")] = networks.generator->state();
  if (networks.discriminator) files[file_of("discriminator")] = networks.discriminator->state();
  Json orders = Json::object(), skipped = Json::object();
  for (const auto& [name, made] : learners_) {
    files[optimiser_file_of(name)] = made->state();
    orders[name] = made->order();
    skipped[name] = made->skipped_in_a_row();
  }
  for (const auto& [name, saved] : saved_learners_) {
    files[optimiser_file_of(name)] = saved.state;
    orders[name] = saved.order;
    skipped[name] = saved.skipped_in_a_row;
  }
  Json places = saved_places_;
  for (const auto& [key, phase] : phases_) {
    if (const auto place = phase->place(); !place.is_null()) places[key] = place;
  }
  content.progress = Json{{"counts", to_json(counts)},  {"joint_begun", joint_begun}, {"stores", known_stores(streams.data())},
                          {"streams", streams.state()}, {"places", places},           {"orders", orders},
                          {"skipped_in_a_row", skipped}};
  return content;
}

void RunState::restore(const Checkpoint& checkpoint) {
  const auto subject = (checkpoint.folder() / CheckpointFile::kProgress).string();
  const auto& progress = checkpoint.progress();
  counts = step_counts_from_json(member<Json>(progress, "counts", subject), subject);
  joint_begun = member<bool>(progress, "joint_begun", subject);
  auto restore_network = [&](Module& network, const std::string& name) {
    network.state().copy_from(checkpoint.read(file_of(name)), Match::all, (checkpoint.folder() / file_of(name)).string());
  };
  restore_network(*networks.retrieval, "retrieval");
  if (networks.average) networks.average->load_state(checkpoint.read(file_of("retrieval-average")));
  if (checkpoint.has(file_of("teacher"))) {
    networks.make_teacher();
    restore_network(*networks.teacher, "teacher");
  }
  // A run that was begun without joint stage and goes on with one has none of them yet.
  if (networks.generator && checkpoint.has(file_of("generator"))) restore_network(*networks.generator, "generator");
  if (networks.discriminator && checkpoint.has(file_of("discriminator"))) restore_network(*networks.discriminator, "discriminator");
  streams.load_state(member<Json>(progress, "streams", subject));
  saved_places_ = member<Json>(progress, "places", subject);
  const auto orders = member<Json>(progress, "orders", subject);
  const auto skipped = member<Json>(progress, "skipped_in_a_row", subject);
  for (const auto& [name, order] : orders.items())
    saved_learners_[name] = {checkpoint.read(optimiser_file_of(name)), order, member<std::int64_t>(skipped, name.c_str(), subject)};
}

void RunState::require_equal_weights() const {
  auto require = [&](const Module* network, const char* name) {
    if (network == nullptr) return;
    const auto own = static_cast<std::int64_t>(network->state().checksum() >> 1);
    const auto low = ranks_.control.all_reduce(own, ReduceOp::min), high = ranks_.control.all_reduce(own, ReduceOp::max);
    if (low != high) throw InternalError("the {} network differs between ranks after {} steps.", name, counts.total());
  };
  require(networks.retrieval.get(), "retrieval");
  require(networks.generator.get(), "generator");
  require(networks.discriminator.get(), "discriminator");
}

}  // namespace duet
