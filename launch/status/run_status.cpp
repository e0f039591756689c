#include "launch/status/run_status.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <set>

#include "base/file.h"
#include "base/host.h"
#include "base/time.h"
#include "cluster/run/last_words.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/run_lock.h"
#include "launch/jobs/submitted_job.h"
#include "launch/options/options.h"
#include "monitoring/log/event_log.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTailBytes = 512 << 10;
constexpr std::int64_t kMostRanks = 1 << 16;
constexpr double kRateSeconds = 120;  // the rate is that of the last two minutes
constexpr double kClocksDiffer = 60;

double seconds_of_utc(const std::string& text) {
  std::tm time{};
  return ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time) == nullptr ? 0 : static_cast<double>(::timegm(&time));
}

// Seconds since 1970 of a file's last change; 0 when it is not there.
double changed(const fs::path& file) {
  std::error_code absent;
  const auto time = fs::last_write_time(file, absent);
  if (absent) return 0;
  return std::chrono::duration<double>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

// Seconds since then; -1, not known, for a time to come: the clock that wrote it was ahead. Clocks of two hosts differ by little.
double age_of(double time) {
  const double age = unix_seconds() - time;
  return age < -kClocksDiffer ? -1 : std::max(0.0, age);
}

// A file that another process may be about to replace or remove.
std::optional<Json> json_if_there(const fs::path& file) {
  std::error_code absent;
  if (!fs::exists(file, absent)) return std::nullopt;
  return read_json(file);
}

// Which end says most about the run: one rank's own error before ranks that were lost, these before an interruption.
int weight_of(ExitStatus status) {
  if (status == ExitStatus::done) return 0;
  if (status == ExitStatus::interrupted) return 1;
  return status == ExitStatus::rank_lost ? 2 : 3;
}

struct Ends {
  std::optional<ExitStatus> worst;
  double started = 0, time = 0;
  std::vector<RunStatus::Words> words;
  std::vector<int> silent;
};

// Last words of the ranks that the last owner had; older ones are of an earlier start.
Ends read_ends(const fs::path& folder, int ranks, double since) {
  Ends ends;
  for (int rank = 0; rank < std::max(1, ranks); ++rank) {
    const auto last = read_last_words(folder, rank);
    if (!last || last->time < since) {
      ends.silent.push_back(rank);
      continue;
    }
    if (!ends.worst || weight_of(last->status) > weight_of(*ends.worst)) ends.worst = last->status;
    if (last->started <= last->time) ends.started = std::max(ends.started, last->started);
    ends.time = std::max(ends.time, last->time);
    if (weight_of(last->status) > 1 && !last->secondary) ends.words.push_back({rank, last->status, last->message});
  }
  if (!ends.worst) ends.silent.clear();  // none said anything: there is nobody to tell apart
  if (ends.worst && !ends.silent.empty() && weight_of(*ends.worst) < 2) ends.worst = ExitStatus::rank_lost;
  return ends;
}

void better(Json& best, const std::string& weights, std::int64_t total_step, const Json& figure) {
  if (!figure.is_object() || !figure.contains("acc@1") || !figure["acc@1"].is_number()) return;
  if (!best.is_null() && real(best, "acc@1") >= figure["acc@1"].get<double>()) return;
  best = Json{{"weights", weights}, {"total_step", total_step}, {"acc@1", figure["acc@1"]}};
}

void read_progress(RunStatus& status, double since) {
  const auto lines = read_last_events(RunFolder(status.folder).metrics(), kTailBytes);
  const Json* first = nullptr;
  const Json* last = nullptr;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!line->contains("loss")) continue;
    if (!last) last = &*line;
    const double time = real(*line, "time");
    if (time < since || time < real(*last, "time") - kRateSeconds || time > real(*last, "time")) break;
    first = &*line;
  }
  for (const auto& line : lines) {
    if (!line.contains("evaluation") || !line["evaluation"].is_object()) continue;
    for (const auto& [weights, figure] : line["evaluation"].items()) better(status.best, weights, whole(line, "total_step"), figure);
  }
  if (!last) return;
  status.last = *last;
  status.stage = last->value("stage", std::string());
  status.step = whole(*last, "step");
  status.total_step = whole(*last, "total_step");
  status.last_step_seconds_ago = age_of(real(*last, "time"));
  if (first && first != last && real(*last, "time") > real(*first, "time")) {
    status.steps_per_second =
        static_cast<double>(status.total_step - whole(*first, "total_step")) / (real(*last, "time") - real(*first, "time"));
  } else if (real(*last, "time") >= since && real(*last, "step_seconds") > 0) {
    status.steps_per_second = 1 / real(*last, "step_seconds");
  }
}

void read_plan(RunStatus& status) {
  const auto file = RunFolder(status.folder).config();
  std::error_code absent;
  if (!fs::exists(file, absent)) return;
  try {
    const auto config = resolve_config({.file = file.string()}).values;
    const Schedule schedule(config);
    status.total_steps = schedule.total_steps();
    if (const auto stage = from_word<ShownStage>(status.stage)) status.stage_steps = schedule.stage_steps(*stage);
  } catch (const Error&) {
    // A run of another version of the program: what is planned stays unknown.
  }
}

void read_checkpoint(RunStatus& status) {
  const auto newest = RunFolder(status.folder).checkpoints().newest();
  std::error_code absent;
  if (!newest || !fs::is_directory(*newest, absent)) return;
  status.checkpoint = newest->filename().string();
  status.checkpoint_seconds_ago = age_of(changed(*newest / CheckpointFile::kManifest));
  for (const auto& file : fs::directory_iterator(*newest, absent)) {
    if (file.is_regular_file(absent)) status.checkpoint_bytes += static_cast<std::int64_t>(file.file_size(absent));
  }
  const auto progress_file = *newest / CheckpointFile::kProgress;
  const auto progress = json_if_there(progress_file);
  // Steps may be logged more rarely than they are saved.
  if (progress && progress->contains("counts")) {
    const auto counts = step_counts_from_json((*progress)["counts"], progress_file.string());
    status.total_step = std::max(status.total_step, counts.total());
  }
  // Each adoption of a generation saves a checkpoint.
  if (progress && progress->contains("stores") && (*progress)["stores"].contains("pool"))
    status.pool_generation = whole((*progress)["stores"]["pool"], "generation");
  if (!progress || !progress->contains("best") || !(*progress)["best"].is_object()) return;
  const auto& best = (*progress)["best"];
  better(status.best, best.value("weights", std::string()), whole(best, "total_step"), best);
}

void read_places(RunStatus& status, const std::optional<SubmittedJob>& submitted) {
  const RunFolder run(status.folder);
  const auto started = json_if_there(run.environment());
  if (started) {
    const auto ranks = whole(*started, "ranks");
    if (ranks < 0 || ranks > kMostRanks) throw DataError("{}: {} ranks.", run.environment().string(), ranks);
    status.ranks = static_cast<int>(ranks);
    if (started->contains("hosts") && (*started)["hosts"].is_array()) {
      for (const auto& host : (*started)["hosts"]) {
        // "n1 cpu"
        const auto name = host.is_string() ? host.get<std::string>() : std::string();
        const auto node = name.substr(0, name.find(' '));
        if (std::find(status.hosts.begin(), status.hosts.end(), node) == status.hosts.end()) status.hosts.push_back(node);
      }
    }
  }
  if (submitted) {
    status.job_id = submitted->id;
    status.log = submitted->log;
  }
  // A job that was submitted by other means says itself who it is.
  if (started && started->contains("job_id") && (*started)["job_id"].is_string()) {
    const bool later = !submitted || seconds_of_utc(started->value("started", std::string())) >= seconds_of_utc(submitted->submitted);
    if (later) status.job_id = (*started)["job_id"].get<std::string>();
    if (later && submitted && submitted->id != status.job_id) status.log.clear();
  }
  std::error_code absent;
  if (fs::exists(run.report(), absent)) status.report = run.report().string();
}

// Of rank 0, which is the first one of its host.
std::string endpoint_of(const RunStatus& status) {
  const auto hosts = json_if_there(RunFolder(status.folder).scrape_targets());
  if (!hosts || !hosts->is_array() || status.hosts.empty()) return "";
  for (const auto& host : *hosts) {
    if (host.at("labels").at("host") == status.hosts.front()) return "http://" + host.at("targets").at(0).get<std::string>();
  }
  return "";
}

// When the owner began, as what was written later can be compared with; 0, so that all of it counts, where its clock was ahead and was set
// right since, and the owner has given the folder back: what its ranks said last is theirs.
double begin_of(const std::optional<RunOwner>& owner, const fs::path& folder) {
  if (!owner) return 0;
  const double since = seconds_of_utc(owner->since);
  const bool was_ahead = age_of(since) < 0 || changed(RunFolder(folder).owner()) < since - kClocksDiffer;
  return was_ahead && owner->released ? 0 : since;
}

// Since the last of these moments; those to come tell nothing where there is another.
double seconds_since_last(std::initializer_list<double> times) {
  double seconds = -1;
  for (const double time : times) {
    const double age = age_of(time);
    if (age >= 0 && (seconds < 0 || age < seconds)) seconds = age;
  }
  return std::max(0.0, seconds);
}

RunStatus read_status(const fs::path& folder) {
  std::error_code absent;
  if (!fs::exists(folder, absent)) throw InputMissing("{}: there is no such folder.", folder.string());
  if (!fs::is_directory(folder, absent)) throw InputMissing("{}: is no folder; `duet status` takes a run's folder.", folder.string());
  const RunFolder run(folder);
  const auto signs = {run.job(), run.owner(), run.lock(), run.config(), run.log(), run.checkpoints().path()};
  if (std::ranges::none_of(signs, [&](const fs::path& sign) { return fs::exists(sign, absent); }))
    throw InputMissing("{}: is no run's folder: it holds neither job.json nor owner.json, log or checkpoints.", folder.string());

  RunStatus status;
  status.folder = folder;
  const auto owner = read_run_owner(folder);
  status.began = owner.has_value();
  const double since = begin_of(owner, folder);
  const auto submitted = read_submitted_job(folder);
  status.restarts = owner ? std::max<std::int64_t>(0, owner->token - 1) : 0;
  read_places(status, submitted);
  read_progress(status, since);
  read_plan(status);
  read_checkpoint(status);
  const auto ends = read_ends(folder, status.ranks, since);

  RunEvidence evidence;
  evidence.locked = RunLock::is_held(folder);
  evidence.had_owner = owner.has_value();
  evidence.released = !owner || owner->released;
  evidence.owner_elsewhere = owner && owner->host != host_name();
  evidence.silent_seconds = seconds_since_last({changed(run.metrics()), changed(run.rank_log(0)), since});
  evidence.end = ends.worst;
  evidence.end_time = ends.time;
  evidence.stepped = !status.last.empty() && real(status.last, "time") >= std::max(since, ends.started);
  if (!status.job_id.empty()) {
    auto answer = ask_queue(status.job_id);
    status.queue_trouble = std::move(answer.trouble);
    status.job = std::move(answer.job);
    // Once a run that was submitted anew waits, what became of it before is the past.
    evidence.submitted = status.queue_trouble.empty();
    evidence.job = status.job;
  }
  status.phase = phase_of(evidence);
  const bool runs = status.phase == RunPhase::running;
  if (runs) {
    status.seconds_in_phase = age_of(since);
    status.endpoint = endpoint_of(status);
    if (status.total_steps > status.total_step && status.steps_per_second > 0) {
      status.seconds_left = static_cast<double>(status.total_steps - status.total_step) / status.steps_per_second;
    }
  } else if (ends.time > 0 && status.phase != RunPhase::waiting && status.phase != RunPhase::starting) {
    status.seconds_in_phase = age_of(ends.time);
  }
  const bool ended_badly = status.phase == RunPhase::refused || status.phase == RunPhase::failed || status.phase == RunPhase::lost;
  if (ended_badly) {
    status.last_words = ends.words;
    status.silent_ranks = ends.silent;
  }
  if (status.phase == RunPhase::finished) status.total_step = std::max(status.total_step, status.total_steps);
  return status;
}

}  // namespace

RunStatus read_run_status(const fs::path& folder) {
  try {
    return read_status(folder);
  } catch (const Json::exception& error) {  // a value of another type than Duet writes
    throw DataError("{}: one of its files is damaged: {}", folder.string(), error.what());
  }
}

}  // namespace duet
