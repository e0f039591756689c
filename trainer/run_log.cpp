#include "trainer/run_log.h"

#include "base/log.h"
#include "base/time.h"

namespace duet {
namespace {

bool is_loss(const std::string& name) {
  return name != "certainty" && name != "reward" && name != "drawn_steps" && name != "gradient_norm";
}

std::int64_t total_step_of(const Json& line) { return line.value("total_step", std::int64_t{0}); }

// The joint stage is counted in retrieval steps, whichever phase a line is about.
std::int64_t stage_step(const PhaseSteps& planned, const StepCounts& counts) {
  if (planned.phase == "discriminator_warmup") return counts.warmup;
  if (planned.stage == "joint") return counts.joint_retrieval;
  return StepCounts(counts).of(planned.stage, planned.phase);
}

std::string shown_stage(const PhaseSteps& planned) { return planned.phase == "discriminator_warmup" ? "warmup" : planned.stage; }

}  // namespace

RunLog::RunLog(const TrainingConfig& config, int rank, int ranks, int local_rank, std::int64_t resumed_total_step)
    : config_(config), rank_(rank) {
  const std::filesystem::path folder(config.run.folder);
  rank_log_ = std::make_unique<EventLog>(folder / "log" / fmt::format("rank-{}.jsonl", rank));
  if (rank == 0) {
    metrics_log_ =
        std::make_unique<EventLog>(folder / "metrics.jsonl", [&](const Json& line) { return total_step_of(line) <= resumed_total_step; });
  }
  if (rank == 0 && config.monitoring.tensorboard)
    tensorboard_ = std::make_unique<TensorBoard>(folder / "tensorboard", resumed_total_step + 1);
  metrics().identify(folder.filename().string(), rank);
  status_ = Json{{"run", config.run.folder}, {"rank", rank}, {"ranks", ranks}, {"stage", "starting"}, {"since", utc_now()}};
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

void RunLog::step(const PhaseSteps& planned, const StepCounts& counts, const Scalars& scalars, std::int64_t samples, double seconds,
                  double wait_seconds) {
  const MetricLabels labels{.phase = planned.phase, .stage = planned.stage};
  metrics().counter("duet_steps_total", "Training steps done.", labels).add();
  metrics()
      .counter("duet_samples_total", "Photos and sketches that passed the trained networks, over all ranks.", labels)
      .add(static_cast<double>(samples));
  metrics().histogram("duet_step_seconds", "Duration of a training step.", duration_bounds(), labels).observe(seconds);
  metrics().counter("duet_data_wait_seconds_total", "Time this rank waited for decoded samples.", labels).add(wait_seconds);
  for (const auto& [name, value] : scalars) {
    const auto metric = name == "total" ? "duet_loss" : is_loss(name) ? "duet_loss_" + name : "duet_" + name;
    metrics().gauge(metric, "Value of '" + name + "' in the last step, over all ranks.", labels).set(value);
  }
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
    status_["stage"] = shown_stage(planned);
    status_["phase"] = planned.phase;
    status_["counts"] = to_json(counts);
    status_["step_seconds"] = seconds;
    status_["time"] = utc_now();
  }
  if (rank_ != 0) return;
  if (window_phase_ != planned.phase) window_.clear();
  window_phase_ = planned.phase;
  for (const auto& [name, value] : scalars) {
    auto& [sum, count] = window_[name];
    sum += value;
    ++count;
  }
  const auto done = StepCounts(counts).of(planned.stage, planned.phase);
  if (done % config_.monitoring.log_every == 0 || (planned.phase == "joint_generator" && done % config_.joint.generator_steps == 0)) {
    Json line{
        {"stage", shown_stage(planned)}, {"phase", planned.phase}, {"step", stage_step(planned, counts)}, {"total_step", counts.total()}};
    Json loss = Json::object();
    for (const auto& [name, entry] : window_) {
      const double mean = entry.first / static_cast<double>(entry.second);
      (is_loss(name) ? loss[name] : line[name]) = mean;
    }
    line["loss"] = std::move(loss);
    line["step_seconds"] = seconds;
    if (tensorboard_) tensorboard_->write(line);
    metrics_log_->write(std::move(line));
    window_.clear();
  }
  show(planned, counts, scalars);
}

void RunLog::show(const PhaseSteps& planned, const StepCounts& counts, const Scalars& scalars) {
  const bool warmup = planned.phase == "discriminator_warmup";
  const auto stage = shown_stage(planned);
  const auto total = warmup ? config_.joint.discriminator_warmup : planned.stage == "joint" ? config_.joint.steps : planned.total;
  const auto done = stage_step(planned, counts);
  if (progress_stage_ != stage) {
    stage_ends(progress_stage_);
    progress_ =
        std::make_unique<Progress>(stage, "steps", total, planned.stage == "joint" && !warmup ? counts.joint_retrieval - 1 : planned.done);
    progress_stage_ = stage;
  }
  std::string details;
  for (const auto& [name, value] : scalars) {
    if (name == "gradient_norm") continue;
    details += fmt::format("{}{} {:.3g}", details.empty() ? "" : ", ", name == "total" ? "loss" : name, value);
  }
  progress_->update(done, details);
}

void RunLog::event(const StepCounts& counts, const std::string& stage, Json event) {
  if (rank_ != 0) return;
  Json line{{"stage", stage}, {"total_step", counts.total()}};
  line["step"] = stage == "joint"       ? counts.joint_retrieval
                 : stage == "retrieval" ? counts.retrieval
                 : stage == "strokes"   ? counts.strokes
                                        : counts.pairs;
  line.update(event);
  if (tensorboard_) tensorboard_->write(line);
  metrics_log_->write(std::move(line));
}

void RunLog::bad_sample(const std::string& reason) {
  metrics().counter("duet_quarantined_samples_total", "Samples that could not be read and were replaced.").add();
  warn("{} Another sample stands in for it.", reason);
  rank_log_->write(Json{{"event", "bad_sample"}, {"reason", reason}});
}

void RunLog::announce(const std::string& text) {
  if (rank_ == 0) say("{}", text);
}

void RunLog::stage_ends(const std::string& stage) {
  if (progress_ && progress_stage_ == stage) {
    progress_->finish();
    progress_.reset();
    progress_stage_.clear();
  }
}

void RunLog::finished() {
  stage_ends(progress_stage_);
  rank_log_->write(Json{{"event", "end"}});
  const std::lock_guard lock(mutex_);
  status_["stage"] = "finished";
}

}  // namespace duet
