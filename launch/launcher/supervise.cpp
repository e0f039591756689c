#include "launch/launcher/supervise.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/run/last_words.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/run_lock.h"
#include "monitoring/log/progress.h"
#include "monitoring/metrics/discovery.h"

namespace duet {
namespace {

constexpr double kEndSeconds = 5;        // from the first rank's error, or the last rank's end, to killing what is left
constexpr double kAfterTermSeconds = 5;  // for the launcher to end its ranks
constexpr double kAgainSeconds = 5;      // between requests to save: srun drops those that come before its tasks run

std::atomic<int> stop_signals{0};
std::atomic<int> interrupts{0};
std::atomic<int> last_signal{0};

void note_signal(int number) {
  last_signal = number;
  ++stop_signals;
  if (number == SIGINT) ++interrupts;
}

/// While it lives, stop signals are noted instead of ending this process.
class SignalWatch {
 public:
  SignalWatch() {
    stop_signals = interrupts = last_signal = 0;
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
      struct sigaction action = {};
      action.sa_handler = note_signal;
      sigemptyset(&action.sa_mask);
      ::sigaction(kSignals[i], nullptr, &former_[i]);
      const bool nohup = kSignals[i] == SIGHUP && former_[i].sa_handler == SIG_IGN;
      if (!nohup) ::sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~SignalWatch() {
    for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &former_[i], nullptr);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  static constexpr int kSignals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP};

 private:
  struct sigaction former_[std::size(kSignals)];
};

/// By which ranks say in their last words whose they are. Other hosts and containers, and this one in a later start of the job, have the
/// same process ids.
const std::string& own_job() {
  static const auto name = fmt::format("{}-{:.0f}", ::getpid(), unix_seconds() * 1e6);
  return name;
}

std::map<std::string, std::string> environment_of_ranks() {
  std::map<std::string, std::string> values = {{"DUET_SUPERVISED", own_job()}};
  // The launcher puts a pipe between the ranks and the terminal; this tells rank 0 that its progress line is read by somebody.
  if (const auto columns = terminal_columns()) values["DUET_TERMINAL_COLUMNS"] = std::to_string(*columns);
  return values;
}

/// The ranks' last words so far; another job that was refused in the same folder may have left some too.
std::map<int, LastWords> words_of(const SuperviseOptions& options) {
  std::map<int, LastWords> words;
  for (int rank = 0; rank < options.ranks; ++rank) {
    if (auto last = read_last_words(options.run_folder, rank); last && last->job == own_job()) words[rank] = std::move(*last);
  }
  return words;
}

bool is_error(const LastWords& words) { return words.status != ExitStatus::done && words.status != ExitStatus::interrupted; }

enum class Ended { by_themselves, by_user, after_grace, when_hanging };

/// Stays until the launcher has ended.
Ended watch(const SuperviseOptions& options, LaunchedRanks& ranks) {
  const Stopwatch clock;
  std::optional<double> stop_at, term_at, ending_at;
  double next_look = 0, next_request = 0;
  Ended ended = Ended::by_themselves;
  while (!ranks.ended()) {
    const double now = clock.seconds();
    if (stop_signals > 0 && !stop_at) {
      say("signal {}: {} rank(s) save and stop (at most {}; a second interrupt stops at once)", sigabbrev_np(last_signal), options.ranks,
          human_duration(options.grace_seconds));
      stop_at = now;
    }
    if (stop_at && now >= next_request) {
      next_request = now + kAgainSeconds;
      ranks.ask_to_save();
    }
    if (now >= next_look && !ending_at) {
      next_look = now + 0.25;
      const auto words = words_of(options);
      const bool all = static_cast<int>(words.size()) == options.ranks;
      if (all || std::ranges::any_of(words, [](const auto& entry) { return is_error(entry.second); })) ending_at = now;
    }
    if (interrupts > 1) {
      ended = Ended::by_user;
      ranks.end_now();
    } else if (ending_at && now > *ending_at + kEndSeconds) {
      ended = Ended::when_hanging;
      ranks.end_now();
    } else if (stop_at && now > *stop_at + options.grace_seconds && !term_at) {
      ended = Ended::after_grace;
      ranks.ask_to_end();
      term_at = now;
    } else if (term_at && now > *term_at + kAfterTermSeconds) {
      ranks.end_now();
    }
    ranks.pass_output_on(0.05);  // signals cut it short
  }
  return ended;
}

std::string end_of(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  return code > 128 ? fmt::format("signal {}", code - 128) : fmt::format("exit status {}", code);
}

std::string how_to_go_on(const SuperviseOptions& options) {
  return RunFolder(options.run_folder).checkpoints().has_any() ? "The same command continues from the last checkpoint."
                                                               : "There is no checkpoint yet: the same command begins anew.";
}

/// Whether the launcher gave up by itself. A rank that is killed while it starts is no such case, nor is a launcher that somebody kills.
bool refused_to_start(const SuperviseOptions& options, int status) {
  if (ranks_had_joined(options.run_folder, own_job())) return false;
  if (WIFEXITED(status)) return WEXITSTATUS(status) != 0 && WEXITSTATUS(status) <= 128;
  const int number = WTERMSIG(status);
  return number == SIGABRT || number == SIGSEGV || number == SIGBUS;
}

/// Which of `candidates` the launcher saw end first, alone; else all of them.
std::vector<int> first_of(const std::vector<int>& candidates, const LauncherWords& said) {
  const auto first = said.first_rank_to_end();
  return first && std::ranges::find(candidates, *first) != candidates.end() ? std::vector{*first} : candidates;
}

ExitStatus verdict(const SuperviseOptions& options, Ended ended, const LaunchedRanks& launched) {
  const int launcher_status = launched.status();
  const auto words = words_of(options);
  if (ended == Ended::by_user) {
    warn("the ranks were stopped at once. {}", how_to_go_on(options));
    return ExitStatus::rank_lost;
  }
  // A rank's own error explains the others' ends; that of a rank which only missed another one does not.
  const LastWords* cause = nullptr;
  for (const auto& [rank, last] : words) {
    if (!is_error(last) || last.secondary || last.status == ExitStatus::rank_lost) continue;
    if (!cause || last.time < cause->time) cause = &last;
  }
  if (cause) {
    warn("rank {} ended the run with status {}: {}", cause->rank, static_cast<int>(cause->status), cause->message);
    return cause->status;
  }
  std::vector<int> silent;
  for (int rank = 0; rank < options.ranks; ++rank) {
    if (!words.contains(rank)) silent.push_back(rank);
  }
  const bool none = static_cast<int>(silent.size()) == options.ranks;
  if (ended == Ended::after_grace) {
    warn("the ranks did not stop within {} and were ended. {}", human_duration(options.grace_seconds), how_to_go_on(options));
    return ExitStatus::rank_lost;
  }
  const int code = WIFEXITED(launcher_status) ? WEXITSTATUS(launcher_status) : 0;
  if (none && code >= static_cast<int>(ExitStatus::usage) && code <= static_cast<int>(ExitStatus::numerical)) {
    return static_cast<ExitStatus>(code);  // before a run's folder was known: the rank has said why
  }
  if (none && refused_to_start(options, launcher_status)) {
    warn("{} ended before any rank began ({}), so that nothing was trained.{}", launched.launcher_path(), end_of(launcher_status),
         launched.words().text().empty() ? " What it said, if anything, stands above." : " It says:\n" + launched.words().text());
    return ExitStatus::unavailable;
  }
  // Who waited in vain knows who is missing; what became of the others then says nothing, since they are ended for it.
  const LastWords* witness = nullptr;
  std::vector<int> ended_from_outside;
  bool interrupted = false;
  for (const auto& [rank, last] : words) {
    if (last.secondary) ended_from_outside.push_back(rank);
    if (is_error(last) && !last.secondary && (!witness || last.time < witness->time)) witness = &last;
    interrupted = interrupted || last.status == ExitStatus::interrupted;
  }
  const auto first = launched.words().first_rank_to_end();
  const bool seen_to_end = first && std::ranges::find(silent, *first) != silent.end();
  if (witness && !seen_to_end) {
    warn("rank {} waited in vain: {}", witness->rank, witness->message);
    return witness->status;
  }
  if (!silent.empty()) {
    warn("rank {} was lost ({}). {}", fmt::join(first_of(silent, launched.words()), ", "), end_of(launcher_status), how_to_go_on(options));
    return ExitStatus::rank_lost;
  }
  if (!ended_from_outside.empty()) {
    warn("rank {} was ended from outside. {}", fmt::join(first_of(ended_from_outside, launched.words()), ", "), how_to_go_on(options));
    return ExitStatus::rank_lost;
  }
  if (interrupted) return ExitStatus::interrupted;
  if (ended == Ended::by_themselves && launcher_status != 0) {
    warn("all ranks were done, but one of them failed while it left ({}).", end_of(launcher_status));
    return ExitStatus::internal;
  }
  return ExitStatus::done;
}

}  // namespace

int supervise(const SuperviseOptions& options) {
  DUET_CHECK(options.ranks >= 1, "{} ranks", options.ranks);
  if (::access(options.program.c_str(), X_OK) != 0)
    throw Unavailable("{}: cannot be executed: {}", options.program.string(), std::strerror(errno));
  clear_last_words(options.run_folder);
  const SignalWatch signals;
  std::vector<std::string> command = {options.program.string()};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  LaunchedRanks ranks(options.launcher, command, options.ranks, environment_of_ranks());
  const auto ended = watch(options, ranks);
  ranks.end_now();
  ranks.pass_rest_on();
  if (!RunLock::has_successor(options.run_folder))
    remove_scrape_targets(RunFolder(options.run_folder).scrape_targets());  // killed ranks leave it behind
  return static_cast<int>(verdict(options, ended, ranks));
}

}  // namespace duet
