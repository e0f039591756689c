#include "tests/system/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <thread>

#include "base/time.h"

namespace duet {
namespace {

constexpr const char* kMark = "SYSTEM_TEST_MARK";

// What a launcher around this test, or the user's own settings, must not tell the program under test.
bool is_foreign(const std::string& name) {
  for (const char* prefix : {"DUET_", "OMPI_", "PMIX_", "SLURM_", kMark}) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

std::map<std::string, std::string> environment_of(const ChildOptions& options, const std::string& mark) {
  std::map<std::string, std::string> values;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string setting(*entry);
    const auto equals = setting.find('=');
    if (equals != std::string::npos && !is_foreign(setting)) values[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  values["OMP_NUM_THREADS"] = "1";  // equal arithmetic everywhere, and cores for the other ranks
  for (const auto& [name, value] : options.environment) values[name] = value;
  values[kMark] = mark;
  return values;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: only what is safe there.
void redirect(const char* file, int to) {
  const int opened = ::open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (opened < 0) ::_exit(126);
  ::dup2(opened, to);
  ::close(opened);
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Zombies have no environment any more, so they are no processes here.
std::vector<pid_t> processes_with(const std::string& setting) {
  std::vector<pid_t> found;
  std::error_code vanished;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", vanished)) {
    const pid_t process = std::atoi(entry.path().filename().c_str());
    if (process <= 0) continue;
    const auto environment = std::string(1, '\0') + content_of(entry.path() / "environ");
    if (environment.find('\0' + setting + '\0') != std::string::npos) found.push_back(process);
  }
  return found;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "status " << outcome.status << (outcome.timed_out ? " (took too long and was killed)" : "") << "\nstandard output:\n"
                << outcome.out << "\nstandard error:\n"
                << outcome.error;
}

bool wait_until(const std::function<bool()>& condition, double seconds) {
  const Stopwatch watch;
  while (!condition()) {
    if (watch.seconds() > seconds) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Child::Child(const std::vector<std::string>& command, const ChildOptions& options) {
  static int number = 0;
  mark_ = fmt::format("{}-{}", ::getpid(), ++number);
  auto words = command;
  std::vector<std::string> settings;
  for (const auto& [name, value] : environment_of(options, mark_)) settings.push_back(name + "=" + value);
  const auto arguments = pointers_to(words);
  const auto environment = pointers_to(settings);
  const auto out = (folder_ / "out").string(), error = (folder_ / "error").string();
  pid_ = ::fork();
  if (pid_ == 0) {
    if (const int input = ::open("/dev/null", O_RDONLY); input >= 0) ::dup2(input, STDIN_FILENO);
    redirect(out.c_str(), STDOUT_FILENO);
    redirect(error.c_str(), STDERR_FILENO);
    if (options.file_size_limit) {
      const rlimit limit{*options.file_size_limit, *options.file_size_limit};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execvpe(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
}

Child::~Child() {
  const bool gone = wait_until(
      [&] {
        const auto left = processes();
        for (const pid_t process : left) ::kill(process, SIGKILL);
        running();  // takes the zombie away
        return left.empty();
      },
      10);
  EXPECT_TRUE(gone) << "processes of '" << mark_ << "' cannot be ended";
}

bool Child::running() {
  int status = 0;
  if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return !ended_;
}

void Child::send(int signal) const { ::kill(pid_, signal); }

Outcome Child::wait(double seconds) {
  Outcome outcome;
  outcome.timed_out = !wait_until([&] { return !running(); }, seconds);
  if (outcome.timed_out) {
    for (const pid_t process : processes()) ::kill(process, SIGKILL);
    wait_until([&] { return !running(); }, 10);
  }
  outcome.status = ended_.value_or(-1);
  outcome.out = content_of(folder_ / "out");
  outcome.error = content_of(folder_ / "error");
  return outcome;
}

std::vector<pid_t> Child::processes() const { return processes_with(fmt::format("{}={}", kMark, mark_)); }

pid_t Child::process_of_rank(int rank) const {
  pid_t found = -1;
  const auto setting = fmt::format("OMPI_COMM_WORLD_RANK={}", rank);
  wait_until(
      [&] {
        const auto own = processes();
        for (const pid_t process : processes_with(setting)) {
          if (std::find(own.begin(), own.end(), process) != own.end()) found = process;
        }
        return found > 0;
      },
      30);
  // Not a number that kill() could take for every process there is.
  if (found <= 0) throw std::runtime_error(fmt::format("no process of rank {}", rank));
  return found;
}

std::string Child::error_so_far() const { return content_of(folder_ / "error"); }

Outcome run(const std::vector<std::string>& command, const ChildOptions& options, double seconds) {
  return Child(command, options).wait(seconds);
}

}  // namespace duet
