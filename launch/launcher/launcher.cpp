#include "launch/launcher/launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <regex>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/granted_cores.h"
#include "base/log.h"
#include "base/process.h"
#include "base/time.h"
#include "cluster/ranks/world.h"
#include "launch/jobs/captured_program.h"

namespace duet {
namespace {

constexpr double kControllerSeconds = 10;  // for Slurm's controller to answer
constexpr double kMessageSeconds = 1;      // of mpirun, which writes it at once

// Nobody may be there to read it any more: no reason to stop.
void show(const std::string& text) {
  if (!text.empty()) [[maybe_unused]]
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

/// Whether a process may read the memory of another that is not its child, as ranks do of each other: a container may forbid the call, Yama
/// the relation. Open MPI tries, fails and says so for each message.
bool neighbours_memory_is_readable() {
  static char byte = 1;
  const pid_t child = ::fork();
  if (child == 0) {  // only what is safe in a fork
    char copy = 0;
    const iovec here{&copy, 1}, there{&byte, 1};
    ::_exit(::process_vm_readv(::getppid(), &here, 1, &there, 1, 0) == 1 ? 0 : 1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

/// What Open MPI and the ranks find in their environment, beside what they are given by name. Nothing that the user has set is changed.
Settings settings_for(Launcher launcher, int ranks, const std::optional<Allocation>& allocation, const std::filesystem::path& scratch,
                      const std::string& step_name) {
  Settings values = {
      {"OMPI_MCA_hwloc_base_binding_policy",
       "none"},  // mpirun would bind a rank with all its threads to one core; ranks share out the cores themselves
      {"OMPI_MCA_mpi_yield_when_idle", "1"},  // waiting ranks leave the cores to compute threads
  };
  if (!neighbours_memory_is_readable()) values["OMPI_MCA_btl_vader_single_copy_mechanism"] = "none";
  if (launcher == Launcher::local) {
    const int cores = available_cores();
    values["OMP_NUM_THREADS"] = std::to_string(std::max(1, cores / ranks));
    values["OMPI_MCA_btl"] = "self,vader";              // one host: shared memory only, no sockets
    values["OMPI_MCA_regx"] = "naive";                  // packs no names of hosts, and so takes those with an underscore
    values["OMPI_MCA_plm"] = "isolated";                // nothing is started elsewhere, so no ssh is needed
    if (allocation) values["OMPI_MCA_ras"] = "^slurm";  // not the allocation's other nodes
    if (ranks > cores) values["OMPI_MCA_rmaps_base_oversubscribe"] = "1";
    if (!scratch.empty()) {
      values["OMPI_MCA_btl_vader_backing_directory"] = scratch;
      values["OMPI_MCA_osc_sm_backing_directory"] = scratch;
      values["OMPI_MCA_orte_tmpdir_base"] = scratch;
    }
  } else if (allocation && allocation->cores_per_task > 0) {
    values["OMP_NUM_THREADS"] = std::to_string(allocation->cores_per_task);
  }
  if (launcher == Launcher::mpirun && allocation) values["OMPI_MCA_plm_slurm_args"] = "--job-name=" + step_name;
  if (::geteuid() == 0) {
    values["OMPI_ALLOW_RUN_AS_ROOT"] = "1";
    values["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
  }
  for (auto value = values.begin(); value != values.end();)
    value = std::getenv(value->first.c_str()) ? values.erase(value) : std::next(value);
  return values;
}

/// The launcher's command line. srun passes the whole environment on by itself, mpirun on other hosts only what it is told.
Words launch_command(Launcher launcher, int ranks, const std::optional<Allocation>& allocation, const std::string& step_name,
                     const Settings& environment) {
  if (launcher == Launcher::srun) {
    Words words = {"srun",
                   "--mpi=pmix",
                   "--quiet",
                   fmt::format("--ntasks={}", ranks),
                   "--unbuffered",
                   "--job-name=" + step_name,
                   "--kill-on-bad-exit=1"};
    if (allocation->cores_per_task > 0) words.push_back(fmt::format("--cpus-per-task={}", allocation->cores_per_task));
    return words;
  }
  Words words = {"mpirun", "-n", std::to_string(ranks)};
  if (launcher == Launcher::local) return words;
  Settings exported = environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string setting = *entry;
    if (setting.starts_with("DUET_") || setting.starts_with("OMP_")) exported[setting.substr(0, setting.find('='))];
  }
  for (const auto& [name, value] : exported) {
    if (!name.starts_with("OMPI_")) words.insert(words.end(), {"-x", name});  // Open MPI passes on its own settings
  }
  return words;
}

/// Does a setting make its reader believe that a launcher started it? This process may sit in a person's step (srun --pty).
bool is_of_another_launch(const std::string& setting) { return setting.starts_with("PMIX_") || setting.starts_with("PMI_"); }

/// Starts `command` as the leader of a session of its own, which dies with this process; what it says goes to `error`. Throws Unavailable
/// when it cannot be executed.
pid_t start_session(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment, int error) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> settings;
  for (char** entry = environ; *entry; ++entry) {
    const std::string setting = *entry;
    if (!environment.contains(setting.substr(0, setting.find('='))) && !is_of_another_launch(setting)) settings.push_back(setting);
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
    ::dup2(error, STDERR_FILENO);
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
    throw Unavailable("cannot start {}: {}. Install {}, or train with one rank.", command.front(), std::strerror(reason),
                      command.front() == "srun" ? "Slurm's client programs, choose --launcher mpirun" : "Open MPI (launch/setup.sh does)");
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
    const auto state = process_state(process);
    if (state == ProcessState::zombie) ::waitpid(process, nullptr, WNOHANG);  // an orphan that came to us
    if (state == ProcessState::at_work || state == ProcessState::stopped) members.push_back(process);
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

}  // namespace

/// Where Open MPI keeps its shared memory and sockets for this run. Ranks that are killed leave them behind, so they lie in one folder that
/// goes with the supervisor; folders whose supervisor was killed itself go with the next one. Who lives holds a lock on its folder: process
/// ids are no proof, since containers that share /dev/shm number their processes themselves.
struct LaunchedRanks::Scratch {
  explicit Scratch(int ranks) {
    const auto needed = kSharedBytesOfRank * static_cast<unsigned>(ranks) + kSharedBytesOfLauncher;
    std::string lacking;
    std::error_code error;
    for (const std::filesystem::path& place : {std::filesystem::path("/dev/shm"), std::filesystem::temp_directory_path(error)}) {
      remove_those_of_the_dead(place);
      struct statvfs space = {};
      if (place.empty() || ::statvfs(place.c_str(), &space) != 0) continue;
      const auto free = space.f_bavail * space.f_frsize;
      if (free < needed) {
        lacking += fmt::format("{}{} has {:.0f} MiB", lacking.empty() ? "" : ", ", place.string(), static_cast<double>(free) / (1 << 20));
      } else if (make(place)) {
        return;
      }
    }
    if (!lacking.empty()) {
      throw Unavailable(
          "{} ranks need {} MiB of shared memory; free are: {}. Give the container a larger /dev/shm (--shm-size=1g), or set "
          "TMPDIR to a folder with room.",
          ranks, needed >> 20, lacking);
    }
    // Nowhere may a folder be made: Open MPI's own choice has to do.
  }
  ~Scratch() {
    std::error_code error;
    if (path_.empty()) return;
    std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  static constexpr const char* kPrefix = "duet-ranks-";
  static constexpr std::uint64_t kSharedBytesOfLauncher = std::uint64_t{8} << 20;
  std::filesystem::path path_;

 private:
  static void remove_those_of_the_dead(const std::filesystem::path& place) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(place, error)) {
      if (!entry.path().filename().string().starts_with(kPrefix)) continue;
      if (const auto lock = FileLock::of_folder(entry.path()); lock.is_held()) std::filesystem::remove_all(entry.path(), error);
    }
  }

  bool make(const std::filesystem::path& place) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      auto name = (place / fmt::format("{}{}-XXXXXX", kPrefix, ::getpid())).string();
      if (::mkdtemp(name.data()) == nullptr) return false;
      lock_ = FileLock::of_folder(name);
      if (!lock_.is_held()) continue;  // another start has taken it for a dead one's before it was locked
      path_ = name;
      return true;
    }
    return false;
  }

  FileLock lock_;
};

namespace {

/// Open MPI begins lines of its own, outside of the rules, with the host and the process: "[node07:4711] …".
bool is_remark(const std::string& line) {
  const auto colon = line.find(':'), end = line.find(']');
  return line.starts_with('[') && colon < end && end != std::string::npos && end > colon + 1 && line.find(' ') > end &&
         line.find_first_not_of("0123456789", colon + 1) == end;
}

constexpr std::size_t kLongestRemark = 1024;  // a longer line is shown as it comes

}  // namespace

std::string LauncherWords::take(std::string_view part) {
  std::string others;
  const auto end_line = [&] {
    dashes_ = 0;
    const bool rule = line_.size() >= kRule && line_.find_first_not_of('-') == std::string::npos;
    line_ += '\n';
    if (rule && inside_) {
      if (text_.size() < 16384) text_ += said_ + '\n';
      held_.clear();
      said_.clear();
      inside_ = false;
    } else if (rule) {
      held_ = line_;
      inside_ = true;
    } else if (inside_) {
      held_ += line_;
      said_ += line_;
    } else if (is_remark(line_)) {
      if (text_.size() < 16384) text_ += line_;
    } else {
      others += line_;
    }
    line_.clear();
    passing_ = false;
  };
  for (const char letter : part) {
    dashes_ = letter == '-' ? dashes_ + 1 : letter == '\n' ? dashes_ : 0;
    if (letter == '\n' && passing_) {
      others += letter;
      passing_ = false;
      inside_ = dashes_ >= kRule;  // behind a progress line, which ends in no newline
      dashes_ = 0;
    } else if (letter == '\n') {
      end_line();
    } else if (passing_) {
      others += letter;
    } else {
      line_ += letter;
      if (inside_) {
        if (held_.size() + line_.size() > kLongestMessage) others += release();
        continue;
      }
      if (line_.find_first_not_of('-') == std::string::npos || (line_[0] == '[' && line_.size() < kLongestRemark)) continue;
      others += line_;  // neither a rule of dashes nor a remark: no reason to hold it back
      line_.clear();
      passing_ = true;
    }
  }
  return others;
}

std::string LauncherWords::release() {
  passing_ = passing_ || !line_.empty();
  inside_ = false;
  said_.clear();
  return std::exchange(held_, {}) + std::exchange(line_, {});
}

std::optional<int> LauncherWords::first_rank_to_end() const {
  static const std::regex forms(R"(process rank (\d+) with PID|Process name: \[\[\d+,\d+\],(\d+)\]|MPI_ABORT was invoked on rank (\d+) )");
  std::smatch found;
  if (!std::regex_search(text_, found, forms)) return std::nullopt;
  for (std::size_t i = 1; i < found.size(); ++i) {
    if (found[i].matched) return std::atoi(found[i].str().c_str());
  }
  return std::nullopt;
}

Launcher launcher_named(const std::string& name, const std::optional<Allocation>& allocation) {
  if (name == "local") return Launcher::local;
  if (name == "mpirun") return Launcher::mpirun;
  if (name == "srun") {
    if (!allocation)
      throw UsageError("--launcher srun needs a Slurm allocation: run it in a batch script (slurm/train.sbatch) or under salloc.");
    return Launcher::srun;
  }
  if (name != "auto") throw UsageError("--launcher {}: takes auto, local, mpirun or srun.", name);
  return allocation && !allocation->inside_step && (allocation->tasks > 1 || allocation->nodes > 1) ? Launcher::srun : Launcher::local;
}

LaunchedRanks::LaunchedRanks(Launcher launcher, const Words& command, int ranks, Settings environment)
    : launcher_(launcher), allocation_(allocation()), step_name_(fmt::format("duet-ranks-{}", ::getpid())) {
  if (launcher_ == Launcher::local) scratch_ = std::make_unique<Scratch>(ranks);
  environment["DUET_STARTED_RANKS"] = std::to_string(ranks);
  environment["DUET_STARTED_BY"] = launcher_path();
  environment.merge(settings_for(launcher_, ranks, allocation_, scratch_ ? scratch_->path_ : "", step_name_));
  auto words = launch_command(launcher_, ranks, allocation_, step_name_, environment);
  words.insert(words.end(), command.begin(), command.end());
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what ranks leave behind comes to us, not to init
  int output[2];
  if (::pipe2(output, O_CLOEXEC) != 0) throw Unavailable("cannot start {}: {}", words.front(), std::strerror(errno));
  output_ = output[0];
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
  try {
    process_ = start_session(words, environment, output[1]);
  } catch (...) {
    ::close(output[0]);
    ::close(output[1]);
    throw;
  }
  ::close(output[1]);
}

LaunchedRanks::~LaunchedRanks() {
  end_now();
  ::close(output_);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

bool LaunchedRanks::ended() {
  if (!ended_) ended_ = ::waitpid(process_, &status_, WNOHANG) != 0;
  return ended_;
}

bool LaunchedRanks::pass_output_on(double seconds) {
  pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
  char part[65536];
  const bool is_there = ::poll(&readable, 1, static_cast<int>(seconds * 1000)) > 0;
  const auto count = is_there ? ::read(output_, part, sizeof part) : 0;
  if (count > 0) {
    quiet_.restart();
    show(words_.take({part, static_cast<std::size_t>(count)}));
    return true;
  }
  if (quiet_.seconds() > kMessageSeconds) show(words_.release());
  if (is_there && count == 0) ::usleep(static_cast<useconds_t>(seconds * 1e6));  // all have closed it
  return false;
}

void LaunchedRanks::pass_rest_on() {
  for (int parts = 0; parts < 100 && pass_output_on(0); ++parts) continue;
  show(words_.release());
}

std::string LaunchedRanks::launcher_path() const {
  const std::string name = launcher_ == Launcher::srun ? "srun" : "mpirun";
  const auto found = find_program(name);
  return found.empty() ? name : found.string();
}

void LaunchedRanks::ask_to_save() const { ::kill(process_, SIGUSR1); }
void LaunchedRanks::ask_to_end() const { ::kill(process_, SIGTERM); }

void LaunchedRanks::end_now() {
  if (over_) return;
  if (launcher_ != Launcher::local && allocation_) cancel_steps();
  kill_session(process_);
  over_ = ended_;
}

/// Ranks on other nodes are no processes of this host; killing srun would leave them to run until Slurm notices.
void LaunchedRanks::cancel_steps() const {
  if (!is_program("squeue") || !is_program("scancel")) {
    warn("there is no squeue or no scancel here; Slurm ends the ranks' step when the job ends.");
    return;
  }
  const Stopwatch since;
  for (const auto& scancel : {Words{"scancel"}, Words{"scancel", "--signal=KILL"}}) {
    for (double until = since.seconds() + kControllerSeconds / 2; since.seconds() < until; ::usleep(200000)) {
      std::istringstream lines(
          run_captured({"squeue", "--noheader", "--steps", "--jobs=" + allocation_->job, "--format=%i %j"}, kControllerSeconds).out);
      auto cancel = scancel;
      for (std::string step, name; lines >> step >> name;) {
        if (name == step_name_) cancel.push_back(step);
      }
      if (cancel.size() == scancel.size()) return;
      run_captured(cancel, kControllerSeconds);
    }
  }
  warn("Slurm has not ended the ranks' step within {}; it does when the job ends.", human_duration(kControllerSeconds));
}

}  // namespace duet
