#include "trainer/loop/trainer.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/stop_signal.h"
#include "datasets/sketch/svg.h"
#include "monitoring/metrics/metrics.h"
#include "trainer/data/training_data.h"
#include "trainer/evaluation/generator_evaluation.h"
#include "trainer/loop/run_log.h"
#include "trainer/loop/run_report.h"
#include "trainer/loop/run_state.h"
#include "trainer/loop/run_trace.h"
#include "trainer/loop/validation.h"

namespace duet {
namespace {

// Photos whose sketches are kept in RUN/samples over time.
constexpr std::int64_t kSamplePhotos = 8;
constexpr double kOwnershipSeconds = 1;  // between questions whether the run's folder is still ours

std::filesystem::path checkpoints_of(const TrainingConfig& config) { return RunFolder(config.run.folder).checkpoints().path(); }

// Rank 0 looks for the checkpoint, all ranks open the same one.
std::optional<Checkpoint> agreed_checkpoint(const TrainingConfig& config, const Ranks& ranks, const Json& configuration) {
  std::string folder, error;
  auto status = ExitStatus::done;
  if (ranks.rank() == 0) {
    try {
      const auto found = find_checkpoint(checkpoints_of(config));
      for (const auto& reason : found.passed_over) warn("{}", reason);
      if (found.checkpoint) {
        found.checkpoint->check_configuration(configuration);
        folder = found.checkpoint->folder().string();
      }
    } catch (const Error& caught) {
      error = caught.what();
      status = caught.status();
    }
  }
  auto code = static_cast<std::int64_t>(status);
  ranks.control.broadcast(std::span(&code, 1), 0);
  ranks.control.broadcast_string(error, 0);
  ranks.control.broadcast_string(folder, 0);
  if (code != 0) throw Error(static_cast<ExitStatus>(code), error);
  if (folder.empty()) return std::nullopt;
  return Checkpoint::open(folder);
}

Json known_stores_of(const std::optional<Checkpoint>& checkpoint) {
  return checkpoint ? member<Json>(checkpoint->progress(), "stores", (checkpoint->folder() / CheckpointFile::kProgress).string())
                    : Json::object();
}

// Directives travel as text: cluster/ knows no stages.
template <Choice T>
T received(const std::string& word) {
  const auto choice = from_word<T>(word);
  DUET_CHECK(choice, "a directive names '{}'", word);
  return *choice;
}

}  // namespace

struct Trainer::Impl : DirectiveSource {
  Impl(const TrainingConfig& run_config, const Ranks& run_ranks, const Device& device, TrainerOptions run_options)
      : config(run_config),
        ranks(run_ranks),
        options(std::move(run_options)),
        schedule(config),
        resumed(agreed_checkpoint(config, ranks, options.configuration)),
        data(open_data(config, known_stores_of(resumed))),
        state(config, ranks, device, data.training),
        validation(config, ranks, state, data),
        coordinator(ranks.control, this, [this] { return newest_pool_generation(); }),
        trace(config, ranks, options.trace_mirror) {
    restore();
    log = std::make_unique<RunLog>(config, ranks.rank(), ranks.size(), options.local_rank, state.counts.total());
    if (ranks.rank() == 0) {
      checkpoints = std::make_unique<CheckpointFolder>(checkpoints_of(config), CheckpointOptions{.keep_last = config.checkpoint.keep_last,
                                                                                                 .keep_every = config.checkpoint.keep_every,
                                                                                                 .configuration = options.configuration,
                                                                                                 .may_publish = options.may_publish,
                                                                                                 .observer = {}});
    }
    state.require_equal_weights();
    log->publish(ranks.control);
    if (const auto& pool = data.training.pool) log->pool(pool->generation(), pool->photo_count(), data.look_alikes);
    if (data.look_alikes > 0) {
      log->announce(fmt::format("{} pool photos look like a validation or test photo and are left out.", data.look_alikes));
    }
  }

  void restore() {
    if (!resumed) return;
    state.restore(*resumed);
    const auto& progress = resumed->progress();
    results = progress.value("results", Json::object());
    if (const auto best = CheckpointFile::of_retrieval("best"); resumed->has(best)) {
      validation.restore(resumed->read(best), progress.value("best", Json()));
    }
    last_saved = state.counts.total();
    if (ranks.rank() == 0) say("continues from {} ({} steps done)", resumed->folder().string(), state.counts.total());
  }

  std::int64_t newest_pool_generation() const {
    if (!data.training.pool) return -1;
    try {
      const auto newest = Store::newest_generation(config.data.pool);
      if (pool_away) warn("{}: the pool can be read again.", config.data.pool);
      pool_away = false;
      return newest;
    } catch (const Error& error) {
      // The store may be on a file system that is away for a moment; training goes on with what it has open. Said once, when it
      // goes, not at every look, whatever the fault's words are by then.
      const auto generation = state.streams.data().pool->generation();
      if (!pool_away) warn("{} Training goes on with generation {}.", error.what(), generation);
      pool_away = true;
      return generation;
    }
  }

  // Rank 0: what comes next, from the schedule and from outside.
  Directive decide(const ClusterState& cluster) override {
    auto next = schedule.next(state.counts);
    const auto every = config.checkpoint.every_steps;
    if (const auto due = every > 0 ? every - state.counts.total() % every : next.steps; due < next.steps) {
      next.steps = due;
      next.evaluate = next.samples = next.ends_stage = false;
    }
    Directive directive;
    directive.phase = to_word(next.phase);
    directive.stage = to_word(next.stage);
    directive.steps = next.steps;
    directive.evaluate = next.evaluate;
    directive.samples = next.samples;
    auto after = state.counts;
    if (next.steps > 0) after.of(next.stage, next.phase) += next.steps;
    const bool finished = next.steps == 0;
    if (cluster.stop_requested || finished) {
      directive = {};
      directive.stop = true;
      if (!finished) directive.stop_reason = cluster.stop_reason;
      directive.checkpoint = last_saved != state.counts.total();
      return directive;
    }
    const bool by_steps = every > 0 && after.total() % every == 0;
    const bool by_time = config.checkpoint.every_seconds > 0 && since_save.seconds() >= config.checkpoint.every_seconds;
    directive.checkpoint = by_steps || by_time || next.ends_stage;
    const auto& pool = state.streams.data().pool;
    // Also after a short last block: when joint.steps is raised later, the block is drawn again from where it began.
    const bool between_blocks = after.joint_retrieval % config.joint.retrieval_steps == 0;
    if (pool && between_blocks && cluster.newest_generation > std::max(pool->generation(), refused_generation)) {
      directive.adopt_generation = cluster.newest_generation;
      directive.checkpoint = true;  // it came from outside: a run that is resumed from here on must have it too
    }
    return directive;
  }

  /// A job that another one has taken the run's folder from (cluster/run/run_lock.h) writes nothing more. Rank 0 asks; the others end with it.
  void require_ownership() {
    since_ownership.restart();
    if (ranks.rank() == 0 && options.may_publish && !options.may_publish())
      throw CannotWrite("{}: another job owns this run's folder now. This one leaves without saving.", config.run.folder);
  }

  TrainingOutcome run() {
    for (;;) {
      require_ownership();
      const auto directive = next_directive();
      if (directive.steps > 0) {
        const auto stage = received<Stage>(directive.stage);
        before_stage(stage);
        if (!run_steps(directive, stage)) {
          save();
          return leave({.complete = false, .stop_reason = stop_text});
        }
        if (directive.evaluate) evaluate(stage);
        if (directive.samples) draw_samples(stage);
        if (stage_ended) end_stage(stage);
        if (directive.adopt_generation >= 0) adopt(directive.adopt_generation, stage);
      }
      if (directive.checkpoint) save();
      if (directive.stop) return leave({.complete = directive.stop_reason.empty(), .stop_reason = directive.stop_reason});
    }
  }

  Directive next_directive() {
    const TraceSpan span("directive", SpanKind::control);
    const auto directive = coordinator.next();
    log->directive(directive, coordinator.state().newest_generation);
    return directive;
  }

  TrainingOutcome leave(TrainingOutcome outcome) {
    if (checkpoints) checkpoints->finish();
    trace.finish();
    ranks.control.barrier();  // no rank leaves before the state is on disk
    log->finished(outcome.stop_reason);
    return outcome;
  }

  // The figures of the weights that training starts from, and of the generator that the joint stage starts from.
  void before_stage(Stage stage) {
    if ((stage == Stage::retrieval || stage == Stage::joint) && !results.contains("initial")) {
      results["initial"] = measure_all();
      write_results();
    }
    if (stage == Stage::joint && !state.joint_begun) judge_generator("supervised", stage);
  }

  Json measure_all() {
    const TraceSpan span("evaluate all", SpanKind::evaluation);
    return validation.measure_all();
  }

  void judge_generator(const std::string& after, Stage stage) {
    if (config.retrieval.steps == 0 && config.retrieval.initial.empty()) return;  // a network that nothing has trained is no judge
    const TraceSpan span("judge generator", SpanKind::evaluation);
    const auto figures = validation.judge_generator();
    if (figures.is_null()) return;
    set_generator_metrics(stage, figures);
    log->event(state.counts, stage, Json{{"generator", figures}});
    results["generator"][after] = figures;
    write_results();
  }

  /// False when all ranks agreed to stop before the directive's last step.
  bool run_steps(const Directive& directive, Stage stage) {
    const auto planned = schedule.next(state.counts);
    const auto name = received<PhaseName>(directive.phase);
    auto& phase = state.phase(stage, name);
    auto& done = state.counts.of(stage, name);
    stage_ended = false;
    for (std::int64_t step = 0; step < directive.steps; ++step) {
      trace.before_step(state.counts.total() + 1);
      const Stopwatch watch;
      StepFigures figures;
      bool stop = false;
      {
        TraceSpan span(directive.phase.c_str(), SpanKind::step);
        span.with("stage", directive.stage).with("step", state.counts.total() + 1);
        const auto report = phase.step(done);
        ++done;
        if (options.after_step) options.after_step(state.counts.total());
        stop = agree(report, figures);
        if (log->is_logged(planned, state.counts) || since_ownership.seconds() > kOwnershipSeconds) require_ownership();
      }
      if (options.gpu_memory_bytes) metrics().gauge("duet_gpu_memory_bytes").set(static_cast<double>(options.gpu_memory_bytes()));
      log->step(planned, state.counts, figures, phase.samples_per_step(), watch.seconds(), state.streams.take_wait_seconds());
      for (const auto& bad : state.streams.take_bad_samples()) log->bad_sample(bad);
      if (stop && step + 1 < directive.steps) {
        stop_text = agreed_stop_reason(ranks.control);
        return false;
      }
    }
    stage_ended = planned.ends_stage && directive.steps == planned.steps;
    return true;
  }

  /// One small reduction a step: the report's shares become figures over all ranks, and one rank's wish to stop everybody's.
  bool agree(const StepReport& report, StepFigures& figures) {
    auto sums = report.shares();
    sums.push_back(stop_requested() ? 1 : 0);
    ranks.statistics.all_reduce(std::span(sums));
    figures = report.over_ranks(sums);
    return sums.back() > 0;
  }

  void evaluate(Stage stage) {
    const TraceSpan span("evaluate", SpanKind::evaluation);
    const auto figures = validation.validate();
    if (figures.is_null()) return;
    log->event(state.counts, stage, Json{{"evaluation", figures}});
    set_evaluation_metrics(stage, figures);
    score = figures["last"]["acc@1"].get<double>();
    scored_at = state.counts.total();
    std::string text = fmt::format("{} after {} steps, validation:", to_word(stage),
                                   stage == Stage::joint ? state.counts.joint_retrieval : state.counts.retrieval);
    for (const auto& [weights, figure] : figures.items()) {
      text += fmt::format("  {} acc@1 {:.1f} @5 {:.1f} @10 {:.1f}", weights, figure["acc@1"].get<double>(), figure["acc@5"].get<double>(),
                          figure["acc@10"].get<double>());
    }
    log->announce(text);
  }

  void end_stage(Stage stage) {
    stage_ended = false;
    log->stage_ends();
    if (stage == Stage::retrieval || stage == Stage::joint) {
      const auto figures = measure_all();
      if (figures.contains("validation")) set_evaluation_metrics(stage, figures["validation"]);
      results[stage == Stage::joint ? "joint" : "supervised"] = figures;
    }
    write_results();
    if (stage == Stage::joint) judge_generator("joint", stage);
    const bool last_of_run =
        config.joint.steps == 0 && (stage == Stage::retrieval || (stage == Stage::pairs && config.retrieval.steps == 0));
    if (last_of_run) judge_generator("supervised", stage);
  }

  void write_results() {
    require_ownership();
    if (ranks.rank() == 0) write_file_atomically(RunFolder(config.run.folder).results(), json_text(results, 2) + "\n");
  }

  void draw_samples(Stage stage) {
    if (ranks.rank() != 0 || !state.networks.generator) return;
    const TraceSpan span("draw samples", SpanKind::evaluation);
    const auto& view = data.validation ? *data.validation : *data.training.labelled;
    const RunFolder run(config.run.folder);
    try {
      const auto sketches = sketches_of_photos(state.context().sketches(), view, kSamplePhotos, 1);
      make_folder(run.samples());
      for (std::size_t i = 0; i < sketches.size(); ++i) {
        if (sketches[i].empty()) continue;
        write_file_atomically(run.sample(to_word(stage), state.counts.total(), static_cast<std::int64_t>(i)), to_svg(sketches[i][0], {}));
      }
    } catch (const std::exception& error) {  // illustrations: no reason to end a training, let alone before its checkpoint
      warn("{}: drawn samples were not written: {} Training goes on.", run.samples().string(), error.what());
    }
  }

  void adopt(std::int64_t generation, Stage stage) {
    TraceSpan span("adopt generation", SpanKind::control);
    span.with("generation", generation);
    std::optional<StoreView> opened;
    LookAlikes alike;
    std::string fault;
    try {
      opened = open_newer_pool(config, *state.streams.data().pool, generation);
      alike = find_look_alikes(*opened, data);
    } catch (const std::exception& error) {
      fault = error.what();
    }
    // All ranks go on with the same photos: one that cannot read the new ones keeps all of them at the old.
    const auto faults = ranks.control.all_gather_strings(fault);
    if (const auto found = std::ranges::find_if(faults, [](const auto& text) { return !text.empty(); }); found != faults.end()) {
      refused_generation = generation;
      const auto kept = state.streams.data().pool->generation();
      if (ranks.rank() == 0) warn("pool generation {} is not adopted: {} Training goes on with generation {}.", generation, *found, kept);
      return;
    }
    const auto& view = *opened;
    state.streams.adopt_pool(view, alike.excluded);
    log->pool(generation, view.photo_count(), alike.count);
    log->event(state.counts, stage,
               Json{{"pool_generation", generation}, {"pool_photos", view.photo_count()}, {"look_alikes", alike.count}});
    log->announce(
        fmt::format("pool generation {} adopted: {} photos, {} left out as look-alikes", generation, view.photo_count(), alike.count));
  }

  void save() {
    TraceSpan span("checkpoint", SpanKind::checkpoint);
    span.with("step", state.counts.total());
    state.require_equal_weights();
    last_saved = state.counts.total();
    since_save.restart();
    if (ranks.rank() != 0) return;
    auto content = state.content();
    content.progress["results"] = results;
    content.progress["best"] = validation.progress();
    if (scored_at == state.counts.total()) content.score = score;
    if (!validation.best().empty()) content.files[CheckpointFile::of_retrieval("best")] = validation.best();
    checkpoints->save(state.counts.total(), content);
  }

  const TrainingConfig& config;
  Ranks ranks;
  TrainerOptions options;
  Schedule schedule;
  std::optional<Checkpoint> resumed;
  OpenedData data;
  RunState state;
  Validation validation;
  Coordinator coordinator;
  RunTrace trace;
  std::unique_ptr<RunLog> log;
  std::unique_ptr<CheckpointFolder> checkpoints;  ///< rank 0
  Json results = Json::object();                  ///< RUN/results.json
  bool stage_ended = false;
  std::string stop_text;
  mutable bool pool_away = false;        ///< it could not be looked at last time
  std::int64_t refused_generation = -1;  ///< of the pool: damaged, so it is not tried again
  std::int64_t last_saved = -1;
  double score = 0;             ///< acc@1 of the last weights on the validation split,
  std::int64_t scored_at = -1;  ///< after so many steps
  Stopwatch since_save, since_ownership;
};

Trainer::Trainer(const TrainingConfig& config, const Ranks& ranks, const Device& device, TrainerOptions options)
    : impl_(std::make_unique<Impl>(config, ranks, device, std::move(options))) {}

Trainer::~Trainer() = default;

TrainingOutcome Trainer::run() {
  try {
    return impl_->run();
  } catch (...) {
    impl_->log->failed();
    throw;
  }
}

bool Trainer::write_report() {
  impl_->require_ownership();
  return write_run_report(impl_->state, impl_->ranks, impl_->data, impl_->validation.best(), impl_->results);
}

const RunState& Trainer::state() const { return impl_->state; }

}  // namespace duet
