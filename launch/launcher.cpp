#include "launch/launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/cores.h"
#include "launch/captured_program.h"

namespace duet {
namespace {

constexpr double kControllerSeconds = 10;  // for Slurm's controller to answer

using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

/// What Open MPI and the ranks find in their environment, beside what they are given by name. Nothing that the user has set is changed.
Settings settings_for(Launcher launcher, int ranks, const std::optional<Allocation>& allocation, const std::filesystem::path& scratch,
                      const std::string& step_name) {
  Settings values = {
      {"OMPI_MCA_hwloc_base_binding_policy",
       "none"},  // mpirun would bind a rank with all its threads to one core; ranks share out the cores themselves
      {"OMPI_MCA_mpi_yield_when_idle", "1"},  // waiting ranks leave the cores to compute threads
  };
  if (launcher == Launcher::local) {
    const int cores = available_cores();
    values["OMP_NUM_THREADS"] = std::to_string(std::max(1, cores / ranks));
    values["OMPI_MCA_btl"] = "self,vader";              // one host: shared memory only, no sockets
    values["OMPI_MCA_plm"] = "isolated";                // nothing is started elsewhere, so no ssh is needed
    if (allocation) values["OMPI_MCA_ras"] = "^slurm";  // not the allocation's other nodes
    if (ranks > cores) values["OMPI_MCA_rmaps_base_oversubscribe"] = "1";
    if (!scratch.empty()) {
      values["OMPI_MCA_btl_vader_backing_directory"] = scratch;
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
  Words words = {"mpirun", "--quiet", "-n", std::to_string(ranks)};
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

}  // namespace

/// Where Open MPI keeps its shared memory and sockets for this run. Ranks that are killed leave them behind, so they lie in one folder that
/// goes with the supervisor; folders whose supervisor was killed itself go with the next one.
struct LaunchedRanks::Scratch {
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

  static constexpr const char* kPrefix = "duet-ranks-";
  std::filesystem::path path_;
};

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
  if (launcher_ == Launcher::local) scratch_ = std::make_unique<Scratch>();
  environment.merge(settings_for(launcher_, ranks, allocation_, scratch_ ? scratch_->path_ : "", step_name_));
  auto words = launch_command(launcher_, ranks, allocation_, step_name_, environment);
  words.insert(words.end(), command.begin(), command.end());
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what ranks leave behind comes to us, not to init
  process_ = start_session(words, environment);
}

LaunchedRanks::~LaunchedRanks() {
  end_now();
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

bool LaunchedRanks::ended() {
  if (!ended_) ended_ = ::waitpid(process_, &status_, WNOHANG) != 0;
  return ended_;
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
