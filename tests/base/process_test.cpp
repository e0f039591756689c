#include "base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "tests/child_process.h"

namespace duet {
namespace {

TEST(Process, OwnProgramIsTheFileThatRuns) {
  EXPECT_EQ(own_program().filename(), "test_base");
  EXPECT_TRUE(std::filesystem::equivalent(own_program(), kRunningProgram));
}

ProcessState state_within_a_second(pid_t process, ProcessState wanted) {
  for (const Stopwatch since; process_state(process) != wanted && since.seconds() < 1;) ::usleep(1000);
  return process_state(process);
}

TEST(Process, StatesOfAChildThroughItsLife) {
  EXPECT_EQ(process_state(::getpid()), ProcessState::at_work);
  const pid_t child = start_child([] { return ::pause(); });
  EXPECT_EQ(process_state(child), ProcessState::at_work);
  ::kill(child, SIGSTOP);
  EXPECT_EQ(state_within_a_second(child, ProcessState::stopped), ProcessState::stopped);
  ::kill(child, SIGKILL);
  EXPECT_EQ(state_within_a_second(child, ProcessState::zombie), ProcessState::zombie);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(process_state(child), ProcessState::gone);
}

}  // namespace
}  // namespace duet
