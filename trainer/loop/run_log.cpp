#include "trainer/loop/run_log.h"

#include <cmath>

#include "base/error.h"
#include "base/host.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/run/allocation.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/run_lock.h"
#include "monitoring/metrics/discovery.h"
#include "monitoring/metrics/metrics.h"
#include "monitoring/metrics/push.h"
#include "monitoring/metrics/run_name.h"

namespace duet {
namespace {

std::int64_t starts_in(const std::filesystem::path& rank_log) {
  std::int64_t starts = 0;
  for_each_event(rank_log, [&](const Json& line) { starts += line.value("event", "") == "start" ? 1 : 0; });
  return starts;
}

std::int64_t total_step_of(const Json& line) { return line.value("total_step", std::int64_t{0}); }

// The joint stage is counted in retrieval steps, whichever phase a line is about.
std::int64_t steps_in(Stage stage, const StepCounts& counts) {
  switch (stage) {
    case Stage::strokes:
      return counts.strokes;
    case Stage::pairs:
      return counts.pairs;
    case Stage::retrieval:
      return counts.retrieval;
    case Stage::joint:
      return counts.joint_retrieval;
  }
  throw InternalError("no stage {}", static_cast<int>(stage));
}

std::int64_t stage_step(const PhaseSteps& planned, const StepCounts& counts) {
  return planned.phase == PhaseName::discriminator_warmup ? counts.warmup : steps_in(planned.stage, counts);
}

}  // namespace

RunLog::RunLog(const TrainingConfig& config, int rank, int ranks, int local_rank, std::int64_t resumed_total_step)
    : config_(config),
      rank_(rank),
      metrics_(ranks, Schedule(config).total_steps(), starts_in(RunFolder(config.run.folder).rank_log(rank))) {
  const RunFolder run(config.run.folder);
  rank_log_ = std::make_unique<EventLog>(run.rank_log(rank));
  if (rank == 0) {
    metrics_log_ = std::make_unique<EventLog>(run.metrics(), [&](const Json& line) { return total_step_of(line) <= resumed_total_step; });
  }
  if (rank == 0 && config.monitoring.tensorboard) tensorboard_ = std::make_unique<TensorBoard>(run.tensorboard(), resumed_total_step + 1);
  metrics().identify(run_name(run.path()), rank);
  status_ = Json{{"run", config.run.folder},
                 {"rank", rank},
                 {"ranks", ranks},
                 {"stage", "starting"},
                 {"since", utc_now()},
                 {"total_step", resumed_total_step},
                 {"planned_steps", Schedule(config).total_steps()},
                 {"stop_reason", nullptr}};
  if (config.monitoring.port >= 0) {
    HttpPages pages;
    pages.unready = [this] {
      const std::lock_guard lock(mutex_);
      return std::string(ready_ ? "" : "no step is done yet");
    };
    pages.status = [this] {
      const std::lock_guard lock(mutex_);
      return status_;
    };
    server_ = HttpServer::start(config.monitoring.address, config.monitoring.port, local_rank, std::move(pages));
  }
  Json start{{"event", "start"}, {"rank", rank}, {"ranks", ranks}, {"total_step", resumed_total_step}};
  if (server_) start["endpoint"] = server_->url();
  rank_log_->write(std::move(start));
}

RunLog::~RunLog() {
  if (published_ && !RunLock::has_successor(config_.run.folder)) remove_scrape_targets(RunFolder(config_.run.folder).scrape_targets());
}

void RunLog::publish(Communicator& control) {
  const Json own{{"host", host_name()}, {"address", server_ ? server_->address() : ""}};
  const auto all = control.all_gather_strings(json_text(own));
  if (rank_ != 0) return;
  std::vector<ScrapeTarget> targets;
  for (const auto& text : all) {
    const auto json = parse_json(text, "endpoint of a rank");
    targets.push_back({json.at("host"), json.at("address")});
  }
  const auto slurm = allocation();
  const RunFolder run(config_.run.folder);
  write_scrape_targets(run.scrape_targets(), {run_name(run.path()), slurm ? slurm->queue_name : ""}, targets);
  published_ = true;
}

void RunLog::status(const std::function<void(Json&)>& change) {
  const std::lock_guard lock(mutex_);
  change(status_);
  status_["time"] = utc_now();
}

void RunLog::directive(const Directive& directive, std::int64_t newest_generation) {
  metrics_.directive(newest_generation);
  status([&](Json& status) { status["directive"] = to_json(directive); });
}

void RunLog::pool(std::int64_t generation, std::int64_t photos, std::int64_t excluded) {
  metrics_.pool(generation, photos, excluded);
  status([&](Json& status) { status["pool"] = {{"generation", generation}, {"photos", photos}, {"excluded", excluded}}; });
}

bool RunLog::is_logged(const PhaseSteps& planned, const StepCounts& counts) const {
  const auto done = StepCounts(counts).of(planned.stage, planned.phase);
  return done % config_.monitoring.log_every == 0 ||
         (planned.phase == PhaseName::joint_generator && done % config_.joint.generator_steps == 0);
}

void RunLog::step(const PhaseSteps& planned, const StepCounts& counts, const StepFigures& figures, const StepSamples& samples,
                  double seconds, double wait_seconds) {
  metrics_.step(planned, counts.total(), figures, samples, seconds, wait_seconds);
  status([&](Json& status) {
    ready_ = true;
    status["stage"] = to_word(shown_stage(planned));
    status["phase"] = to_word(planned.phase);
    status["counts"] = to_json(counts);
    status["total_step"] = counts.total();
    status["step_seconds"] = seconds;
    auto& values = status["values"] = Json::object();
    for (const auto& [quantity, value] : figures) values[row_of(quantity).name] = std::isfinite(value) ? Json(value) : Json();
    if (progress_ && progress_->rate() > 0) {
      status["steps_per_second"] = progress_->rate();
      status["stage_seconds_left"] = progress_->seconds_left();
    }
  });
  if (rank_ != 0) return;
  if (window_phase_ != planned.phase) window_.clear();
  window_phase_ = planned.phase;
  for (const auto& [quantity, value] : figures) {
    auto& [sum, count] = window_[quantity];
    sum += value;
    ++count;
  }
  if (is_logged(planned, counts)) {
    Json line{{"stage", to_word(shown_stage(planned))},
              {"phase", to_word(planned.phase)},
              {"step", stage_step(planned, counts)},
              {"total_step", counts.total()}};
    Json loss = Json::object();
    for (const auto& [quantity, entry] : window_) {
      const auto& row = row_of(quantity);
      (row.is_loss ? loss : line)[row.name] = entry.first / static_cast<double>(entry.second);
    }
    line["loss"] = std::move(loss);
    line["step_seconds"] = seconds;
    if (tensorboard_) tensorboard_->write(line);
    metrics_log_->write(std::move(line));
    window_.clear();
  }
  show(planned, counts, figures);
}

void RunLog::show(const PhaseSteps& planned, const StepCounts& counts, const StepFigures& figures) {
  const bool warmup = planned.phase == PhaseName::discriminator_warmup;
  const auto stage = shown_stage(planned);
  const auto done = stage_step(planned, counts);
  if (progress_stage_ != stage) {
    stage_ends();
    progress_ = std::make_unique<Progress>(to_word(stage), "steps", Schedule(config_).stage_steps(stage),
                                           planned.stage == Stage::joint && !warmup ? counts.joint_retrieval - 1 : planned.done);
    progress_stage_ = stage;
  }
  std::string details;
  for (const auto& [quantity, value] : figures) {
    const auto& row = row_of(quantity);
    if (row.shown != QuantityShown::everywhere) continue;
    details += fmt::format("{}{} {:.3g}", details.empty() ? "" : ", ", quantity == Quantity::total ? "loss" : row.name, value);
  }
  progress_->update(done, details);
}

void RunLog::event(const StepCounts& counts, Stage stage, Json event) {
  if (rank_ != 0) return;
  Json line{{"stage", to_word(stage)}, {"total_step", counts.total()}};
  line["step"] = steps_in(stage, counts);
  line.update(event);
  if (tensorboard_) tensorboard_->write(line);
  metrics_log_->write(std::move(line));
}

void RunLog::bad_sample(const std::string& reason) {
  metrics().counter("duet_quarantined_samples_total").add();
  warn("{} Another sample stands in for it.", reason);
  rank_log_->write(Json{{"event", "bad_sample"}, {"reason", reason}});
}

void RunLog::announce(const std::string& text) {
  if (rank_ == 0) say("{}", text);
}

void RunLog::stage_ends() {
  if (!progress_) return;
  progress_->finish();
  progress_.reset();
  progress_stage_.reset();
}

void RunLog::finished(const std::string& reason) {
  stage_ends();
  rank_log_->write(Json{{"event", "end"}, {"reason", reason}});
  status([&](Json& status) {
    status["stage"] = "finished";
    status["stop_reason"] = reason.empty() ? "complete" : reason;
  });
  metrics_.stopped(reason);
  push();
}

void RunLog::failed() {
  metrics_.failed();
  push();
}

void RunLog::push() const {
  if (rank_ == 0 && !config_.monitoring.push_url.empty()) push_metrics(config_.monitoring.push_url, run_name(config_.run.folder));
}

}  // namespace duet
