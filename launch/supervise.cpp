#include "launch/supervise.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/cores.h"
#include "cluster/last_words.h"
#include "monitoring/progress.h"

namespace duet {
namespace {

constexpr double kEndSeconds = 5;        // from the first rank's error, or the last rank's end, to killing what is left
constexpr double kAfterTermSeconds = 5;  // for mpirun to end its ranks

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
      ::sigaction(kSignals[i], &action, &former_[i]);
    }
  }
  ~SignalWatch() {
    for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &former_[i], nullptr);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  static constexpr int kSignals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};

 private:
  struct sigaction former_[std::size(kSignals)];
};

/// Where Open MPI keeps its shared memory and sockets for this run. Ranks that are killed leave them behind, so they lie in one folder that
/// goes with the supervisor; folders whose supervisor was killed itself go with the next one.
class Scratch {
 public:
  Scratch() {
    const std::filesystem::path shared = "/dev/shm";
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(shared, error)) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with(kPrefix)) continue;
      const auto owner = std::atoi(name.c_str() + std::strlen(kPrefix));
      if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) std::filesystem::remove_all(entry.path(), error);
    }
    const auto own = shared / fmt::format("{}{}", kPrefix, ::getpid());
    if (std::filesystem::create_directory(own, error)) path_ = own;  // else Open MPI's own choice has to do
  }
  ~Scratch() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  static constexpr const char* kPrefix = "duet-ranks-";
  std::filesystem::path path_;
};

/// By which ranks say in their last words whose they are.
std::string own_job() { return std::to_string(::getpid()); }

/// What Open MPI and the ranks find in their environment. Nothing that the user has set is changed.
std::map<std::string, std::string> environment_of(const SuperviseOptions& options, const Scratch& scratch) {
  const int cores = available_cores();
  std::map<std::string, std::string> values = {
      {"OMP_NUM_THREADS", std::to_string(std::max(1, cores / options.ranks))},
      {"OMPI_MCA_hwloc_base_binding_policy",
       "none"},  // mpirun would bind a rank with all its threads to one core; ranks share out the cores themselves
      {"OMPI_MCA_mpi_yield_when_idle", "1"},  // waiting ranks leave the cores to compute threads
      {"OMPI_MCA_btl", "self,vader"},         // one host: shared memory only, no sockets
      {"OMPI_MCA_plm", "isolated"},           // nothing is started elsewhere, so no ssh is needed
  };
  if (options.ranks > cores) values["OMPI_MCA_rmaps_base_oversubscribe"] = "1";
  if (::geteuid() == 0) {
    values["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    values["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
  }
  if (!scratch.path().empty()) {
    values["OMPI_MCA_btl_vader_backing_directory"] = scratch.path();
    values["OMPI_MCA_orte_tmpdir_base"] = scratch.path();
  }
  for (auto value = values.begin(); value != values.end();)
    value = std::getenv(value->first.c_str()) ? values.erase(value) : std::next(value);
  values["DUET_SUPERVISED"] = own_job();
  // mpirun puts a pipe between the ranks and the terminal; this tells rank 0 that its progress line is read by somebody.
  if (const auto columns = terminal_columns()) values["DUET_TERMINAL_COLUMNS"] = std::to_string(*columns);
  return values;
}

/// Starts `command` as the leader of a session of its own, which dies with this process. Throws Unavailable when it cannot be executed.
pid_t start_session(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> settings;
  for (char** entry = environ; *entry; ++entry) {
    const std::string setting = *entry;
    if (!environment.contains(setting.substr(0, setting.find('=')))) settings.push_back(setting);
  }
  for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
  std::vector<char*> setting_pointers;
  for (auto& setting : settings) setting_pointers.push_back(setting.data());
  setting_pointers.push_back(nullptr);

  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) throw Unavailable("cannot start {}: {}", command.front(), std::strerror(errno));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {  // only what is safe between fork and exec
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (const int input = ::open("/dev/null", O_RDONLY); input >= 0) ::dup2(input, STDIN_FILENO);
    ::execvpe(arguments[0], arguments.data(), setting_pointers.data());
    const int reason = errno;
    [[maybe_unused]] const auto written = ::write(report[1], &reason, sizeof reason);
    ::_exit(127);
  }
  ::close(report[1]);
  int reason = 0;
  const bool failed = child < 0 || ::read(report[0], &reason, sizeof reason) == sizeof reason;
  ::close(report[0]);
  if (failed) {
    if (child < 0) reason = errno;
    if (child > 0) ::waitpid(child, nullptr, 0);
    throw Unavailable("cannot start {}: {}. Install Open MPI (launch/setup.sh does), or train with one rank.", command.front(),
                      std::strerror(reason));
  }
  return child;
}

/// Processes of a session, zombies left out. A rank's own children belong to it too, wherever they were re-parented.
std::vector<pid_t> members_of(pid_t session) {
  std::vector<pid_t> members;
  DIR* folder = ::opendir("/proc");
  if (!folder) return members;
  while (const dirent* entry = ::readdir(folder)) {
    const pid_t process = std::atoi(entry->d_name);
    if (process <= 0 || ::getsid(process) != session) continue;
    std::ifstream file(fmt::format("/proc/{}/stat", process));
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    const auto name_end = stat.rfind(')');  // the name may hold anything
    if (name_end == std::string::npos || name_end + 2 >= stat.size()) continue;
    if (stat[name_end + 2] == 'Z') {
      ::waitpid(process, nullptr, WNOHANG);  // an orphan that came to us
    } else {
      members.push_back(process);
    }
  }
  ::closedir(folder);
  return members;
}

void kill_session(pid_t session) {
  const Stopwatch since;
  for (auto left = members_of(session); !left.empty() && since.seconds() < 5; left = members_of(session)) {
    for (const pid_t process : left) ::kill(process, SIGKILL);
    ::usleep(10000);
  }
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

/// Stays until mpirun has ended; `status` receives what waitpid() said.
Ended watch(const SuperviseOptions& options, pid_t mpirun, int& status) {
  const Stopwatch clock;
  std::optional<double> stop_at, term_at, ending_at;
  double next_look = 0;
  Ended ended = Ended::by_themselves;
  while (::waitpid(mpirun, &status, WNOHANG) == 0) {
    const double now = clock.seconds();
    if (stop_signals > 0 && !stop_at) {
      say("signal {}: {} rank(s) save and stop (at most {}; a second interrupt stops at once)", sigabbrev_np(last_signal), options.ranks,
          human_duration(options.grace_seconds));
      ::kill(mpirun, SIGUSR1);  // mpirun passes it on to all ranks
      stop_at = now;
    }
    if (now >= next_look && !ending_at) {
      next_look = now + 0.25;
      const auto words = words_of(options);
      const bool all = static_cast<int>(words.size()) == options.ranks;
      if (all || std::ranges::any_of(words, [](const auto& entry) { return is_error(entry.second); })) ending_at = now;
    }
    if (interrupts > 1) {
      ended = Ended::by_user;
      kill_session(mpirun);
    } else if (ending_at && now > *ending_at + kEndSeconds) {
      ended = Ended::when_hanging;
      kill_session(mpirun);
    } else if (stop_at && now > *stop_at + options.grace_seconds && !term_at) {
      ended = Ended::after_grace;
      ::kill(mpirun, SIGTERM);
      term_at = now;
    } else if (term_at && now > *term_at + kAfterTermSeconds) {
      kill_session(mpirun);
    }
    ::usleep(50000);  // signals cut it short
  }
  return ended;
}

std::string end_of(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  return code > 128 ? fmt::format("signal {}", code - 128) : fmt::format("exit status {}", code);
}

ExitStatus verdict(const SuperviseOptions& options, Ended ended, int mpirun_status) {
  const auto words = words_of(options);
  if (ended == Ended::by_user) {
    warn("the ranks were stopped at once. The same command continues from the last checkpoint.");
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
    warn("the ranks did not stop within {} and were ended. The same command continues from the last checkpoint.",
         human_duration(options.grace_seconds));
    return ExitStatus::rank_lost;
  }
  const int code = WIFEXITED(mpirun_status) ? WEXITSTATUS(mpirun_status) : 0;
  if (none && code >= static_cast<int>(ExitStatus::usage) && code <= static_cast<int>(ExitStatus::numerical)) {
    return static_cast<ExitStatus>(code);  // before a run's folder was known: the rank has said why
  }
  if (!silent.empty()) {
    warn("rank {} was lost ({}). The same command continues from the last checkpoint.", fmt::join(silent, ", "), end_of(mpirun_status));
    return ExitStatus::rank_lost;
  }
  bool interrupted = false;
  for (const auto& [rank, last] : words) {
    if (is_error(last) && !last.secondary) {
      warn("rank {}: {}", rank, last.message);
      return last.status;
    }
    if (last.secondary) {
      warn("rank {} was ended from outside. The same command continues from the last checkpoint.", rank);
      return ExitStatus::rank_lost;
    }
    interrupted = interrupted || last.status == ExitStatus::interrupted;
  }
  if (interrupted) return ExitStatus::interrupted;
  if (ended == Ended::by_themselves && mpirun_status != 0) {
    warn("all ranks were done, but one of them failed while it left ({}).", end_of(mpirun_status));
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
  const Scratch scratch;
  const SignalWatch signals;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what ranks leave behind comes to us, not to init
  std::vector<std::string> command = {"mpirun", "--quiet", "-n", std::to_string(options.ranks), options.program.string()};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  const pid_t mpirun = start_session(command, environment_of(options, scratch));
  int status = 0;
  const auto ended = watch(options, mpirun, status);
  kill_session(mpirun);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  return static_cast<int>(verdict(options, ended, status));
}

}  // namespace duet
