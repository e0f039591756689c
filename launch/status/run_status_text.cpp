#include "launch/status/run_status_text.h"

#include <algorithm>
#include <cmath>

#include "base/time.h"
#include "monitoring/metrics/quantities.h"

namespace duet {
namespace {

// What of a step's line is worth a glance: the losses first, then what is shown everywhere.
std::string losses_of(const Json& line) {
  std::string text;
  const auto add = [&](const std::string& name, const Json& value) {
    if (value.is_number()) text += fmt::format("{}{} {:.3g}", text.empty() ? "" : ", ", name, value.get<double>());
  };
  if (line.contains("loss") && line["loss"].is_object()) {
    for (const auto& [name, value] : line["loss"].items()) add(name, value);
  }
  for (const auto shown : {QuantityShown::everywhere, QuantityShown::in_status}) {
    for (const auto& row : kQuantities) {
      if (row.is_loss || row.shown != shown || !line.contains(row.name)) continue;
      std::string words(row.name);
      std::ranges::replace(words, '_', ' ');
      add(words, line[row.name]);
    }
  }
  return text;
}

std::string bar(double share, int width) {
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  return "[" + std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.') + "]";
}

std::string ago(double seconds) { return seconds < 0 ? "by a clock that was ahead" : human_duration(seconds) + " ago"; }

double share_of(const RunStatus& status) {
  if (status.phase == RunPhase::finished) return 1;
  return status.total_steps > 0 ? std::min(1.0, static_cast<double>(status.total_step) / static_cast<double>(status.total_steps)) : -1;
}

std::string rate_of(const RunStatus& status) {
  const double rate = status.steps_per_second;
  return fmt::format("{:.{}f} steps/s", rate, rate >= 100 ? 0 : rate >= 1 ? 1 : 3);
}

std::string megabytes(std::int64_t bytes) {
  return bytes < 10'000'000 ? fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6) : fmt::format("{} MB", bytes / 1'000'000);
}

std::string job_line(const RunStatus& status) {
  if (!status.queue_trouble.empty()) return fmt::format("{} (the queue cannot be asked: {})", status.job_id, status.queue_trouble);
  if (!status.job) return status.job_id + ", no longer in the queue";
  const auto& job = *status.job;
  auto text = fmt::format("{}, {}", job.id, job.state);
  if (!job.nodes.empty()) text += " on " + job.nodes;
  if (!job.reason.empty()) text += fmt::format(" ({})", job.reason);
  if (job.is_pending() && job.starts) {
    text += fmt::format(", expected to start in {}", human_duration(std::max(0.0, *job.starts - unix_seconds())));
  }
  if (job.is_active() && !job.time_left.empty()) text += fmt::format(", {} left of its time limit", job.time_left);
  return text;
}

// What somebody who finds the run like this may do.
std::string advice_on(const RunStatus& status) {
  switch (status.phase) {
    case RunPhase::interrupted:
      return "The same command, or another submission of it, continues.";
    case RunPhase::lost:
      if (!status.began) return "Its job ended before the training began; the job's log says why, where there is one.";
      return status.checkpoint.empty() ? "It ended before its first checkpoint; the same command begins anew."
                                       : "The same command, or another submission of it, continues from the last checkpoint.";
    default:
      return "";
  }
}

}  // namespace

Json to_json(const RunStatus& status) {
  Json json{{"run", status.folder.string()}, {"state", name_of(status.phase)}};
  const auto optional = [](double value) { return value < 0 ? Json() : Json(value); };
  json["seconds_in_state"] = optional(status.seconds_in_phase);
  json["stage"] = status.stage.empty() ? Json() : Json(status.stage);
  json["step"] = status.step;
  json["stage_steps"] = status.stage_steps;
  json["total_step"] = status.total_step;
  json["total_steps"] = status.total_steps;
  json["steps_per_second"] = status.steps_per_second;
  json["seconds_left"] = optional(status.seconds_left);
  json["last"] = status.last;
  json["last_step_seconds_ago"] = optional(status.last_step_seconds_ago);
  json["checkpoint"] =
      status.checkpoint.empty()
          ? Json()
          : Json{{"name", status.checkpoint}, {"seconds_ago", optional(status.checkpoint_seconds_ago)}, {"bytes", status.checkpoint_bytes}};
  json["pool_generation"] = status.pool_generation > 0 ? Json(status.pool_generation) : Json();
  json["best"] = status.best;
  json["restarts"] = status.restarts;
  json["ranks"] = status.ranks;
  json["hosts"] = status.hosts;
  json["job"] = Json();
  if (!status.job_id.empty()) {
    json["job"] = Json{{"id", status.job_id},
                       {"state", status.job ? Json(status.job->state) : Json()},
                       {"reason", status.job ? Json(status.job->reason) : Json()},
                       {"nodes", status.job ? Json(status.job->nodes) : Json()},
                       {"trouble", status.queue_trouble.empty() ? Json() : Json(status.queue_trouble)}};
  }
  for (const auto& [name, place] : {std::pair{"log", status.log}, {"endpoint", status.endpoint}, {"report", status.report}}) {
    json[name] = place.empty() ? Json() : Json(place);
  }
  json["last_words"] = Json::array();
  for (const auto& words : status.last_words) {
    json["last_words"].push_back(Json{{"rank", words.rank}, {"status", static_cast<int>(words.status)}, {"message", words.message}});
  }
  json["silent_ranks"] = status.silent_ranks;
  return json;
}

std::string describe(const RunStatus& status) {
  auto text = fmt::format("{}: {}", status.folder.string(), name_of(status.phase));
  const bool runs = status.phase == RunPhase::running;
  if (runs && status.ranks > 0) {
    text += fmt::format(", {} rank{} on {}", status.ranks, status.ranks == 1 ? "" : "s", fmt::join(status.hosts, ", "));
  }
  if (status.seconds_in_phase >= 0) {
    const auto duration = human_duration(status.seconds_in_phase);
    text += runs ? " for " + duration : " " + duration + " ago";
  }
  text += "\n";
  const auto row = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<12}{}\n", name, value);
  };
  for (const auto& words : status.last_words) {
    row("error", fmt::format("rank {}, status {}: {}", words.rank, static_cast<int>(words.status), words.message));
  }
  if (!status.silent_ranks.empty()) row("error", fmt::format("no last words of rank {}", fmt::join(status.silent_ranks, ", ")));
  if (const double share = share_of(status); share >= 0) {
    auto progress = fmt::format("{} {:.0f} %", bar(share, 30), std::floor(share * 100));
    if (status.total_steps > 0) progress += fmt::format(", {} of {} steps", status.total_step, status.total_steps);
    if (runs && status.steps_per_second > 0) progress += " · " + rate_of(status);
    if (status.seconds_left >= 0) progress += fmt::format(" · {} left at this rate", human_duration(status.seconds_left));
    row("progress", progress);
  }
  if (!status.stage.empty()) {
    auto stage = fmt::format("{}, step {}", status.stage, status.step);
    if (status.stage_steps > 0) stage += fmt::format(" of {}", status.stage_steps);
    row("stage", stage);
    row("loss", losses_of(status.last) + (status.last_step_seconds_ago < 0 ? "" : fmt::format(" ({})", ago(status.last_step_seconds_ago))));
  }
  if (!status.best.is_null()) {
    row("validation", fmt::format("best acc@1 {:.1f} ({} weights, after {} steps)", real(status.best, "acc@1"),
                                  status.best.value("weights", std::string()), whole(status.best, "total_step")));
  }
  row("checkpoint", status.checkpoint.empty() ? std::string(status.stage.empty() ? "" : "none yet")
                                              : fmt::format("{}, {}, {}", status.checkpoint, megabytes(status.checkpoint_bytes),
                                                            ago(status.checkpoint_seconds_ago)));
  if (status.pool_generation > 0) row("pool", fmt::format("generation {}", status.pool_generation));
  if (status.restarts > 0) row("restarts", std::to_string(status.restarts));
  if (!status.job_id.empty()) row("job", job_line(status));
  row("log", status.log);
  row("endpoint", status.endpoint);
  row("report", status.report);
  if (const auto advice = advice_on(status); !advice.empty()) text += "  " + advice + "\n";
  return text;
}

std::string table_of(std::span<const RunStatus> runs) {
  std::vector<std::vector<std::string>> rows = {
      {"run", "state", "stage", "progress", "steps/s", "left", "best acc@1", "checkpoint", "job"}};
  for (const auto& status : runs) {
    const double share = share_of(status);
    const bool runs_now = status.phase == RunPhase::running;
    rows.push_back({status.folder.string(), name_of(status.phase),
                    status.stage.empty() ? "-" : fmt::format("{} {}/{}", status.stage, status.step, status.stage_steps),
                    share < 0 ? "-" : fmt::format("{} {:3.0f} %", bar(share, 10), std::floor(share * 100)),
                    runs_now && status.steps_per_second > 0 ? fmt::format("{:.3g}", status.steps_per_second) : "-",
                    status.seconds_left >= 0 ? human_duration(status.seconds_left) : "-",
                    status.best.is_null() ? "-" : fmt::format("{:.1f}", real(status.best, "acc@1")),
                    status.checkpoint.empty() ? "-" : ago(status.checkpoint_seconds_ago),
                    status.job_id.empty() ? "-" : status.job_id + (status.job ? " " + status.job->state : "")});
  }
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace duet
