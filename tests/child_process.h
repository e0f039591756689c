#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace duet {

/// Runs `work` in a process of its own; the test must wait for it. Its return value is the exit status.
inline pid_t start_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  return child;
}

/// 128 + signal when it was killed.
inline int status_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace duet
