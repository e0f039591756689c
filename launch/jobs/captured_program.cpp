#include "launch/jobs/captured_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/time.h"

namespace duet {

std::filesystem::path find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto file = std::filesystem::path(folder.empty() ? "." : folder) / name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

CapturedEnd run_captured(const std::vector<std::string>& command, double seconds) {
  std::array<std::array<int, 2>, 2> pipes{};  // its output, its errors
  for (auto& ends : pipes) {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Unavailable("cannot start {}: {}.", command.front(), std::strerror(errno));
  }
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipes[0][1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, pipes[1][1], STDERR_FILENO);
  pid_t process = -1;
  const int fault = ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  for (auto& ends : pipes) ::close(ends[1]);
  if (fault != 0) {
    for (auto& ends : pipes) ::close(ends[0]);
    throw Unavailable("cannot start {}: {}.", command.front(), std::strerror(fault));
  }
  CapturedEnd end;
  const std::array<std::string*, 2> texts = {&end.out, &end.error};
  std::array<pollfd, 2> waiting = {pollfd{pipes[0][0], POLLIN, 0}, pollfd{pipes[1][0], POLLIN, 0}};
  const Stopwatch clock;
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    const double left = seconds - clock.seconds();
    if (left <= 0) {
      end.timed_out = true;
      ::kill(process, SIGKILL);
      break;
    }
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left * 1000) + 1) <= 0) continue;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      char bytes[4096];
      const auto got = ::read(waiting[i].fd, bytes, sizeof bytes);
      if (got > 0) texts[i]->append(bytes, static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) waiting[i].fd = -1;
    }
  }
  for (auto& ends : pipes) ::close(ends[0]);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
  end.status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return end;
}

}  // namespace duet
