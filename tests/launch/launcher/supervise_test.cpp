#include "launch/launcher/supervise.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Supervise : public testing::Test {
 protected:
  int run(const std::string& behaviour, int ranks = 2, double grace_seconds = 30) {
    testing::internal::CaptureStderr();
    const int status = supervise({.ranks = ranks,
                                  .launcher = launcher,
                                  .run_folder = folder.path(),
                                  .program = SUPERVISED_RANK,
                                  .arguments = {behaviour, folder.path()},
                                  .grace_seconds = grace_seconds});
    said = testing::internal::GetCapturedStderr();
    return status;
  }
  /// Sends `signals` to this process, the supervisor, once all ranks are at work.
  std::thread send_when_ready(std::vector<int> signals, int ranks = 2) {
    return std::thread([this, signals, ranks] {
      for (int rank = 0; rank < ranks; ++rank) {
        while (!std::filesystem::exists(folder / fmt::format("ready-{}", rank))) ::usleep(5000);
      }
      for (const int number : signals) {
        ::kill(::getpid(), number);
        ::usleep(200000);
      }
    });
  }
  void expect_nobody_left(int ranks = 2) const {
    for (int rank = 0; rank < ranks; ++rank) {
      const auto process = std::stoi(read_file(folder / fmt::format("pid-{}", rank)));
      EXPECT_TRUE(::kill(process, 0) != 0 && errno == ESRCH) << "rank " << rank << " still runs";
    }
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      EXPECT_THAT(entry.path().filename().string(), Not(StartsWith(fmt::format("duet-ranks-{}", ::getpid())))) << "shared memory stays";
    }
  }
  /// Runs with a stand-in as the first mpirun of PATH.
  int run_under(const std::string& mpirun_script) {
    std::filesystem::create_directory(folder / "bin");
    mpirun = folder / "bin" / "mpirun";
    write_file_atomically(mpirun, "#!/bin/sh\n" + mpirun_script);
    std::filesystem::permissions(mpirun, std::filesystem::perms::owner_all);
    const std::string path = ::getenv("PATH");
    ::setenv("PATH", ((folder / "bin").string() + ":" + path).c_str(), 1);
    const int status = run("fine");
    ::setenv("PATH", path.c_str(), 1);
    return status;
  }
  const TemporaryFolder folder;
  std::filesystem::path mpirun;
  Launcher launcher = Launcher::local;
  std::string said;
};

TEST_F(Supervise, RanksThatAreDoneGiveStatusZero) {
  EXPECT_EQ(run("fine", 4), 0) << said;
  EXPECT_EQ(said, "");
  expect_nobody_left(4);
}

TEST_F(Supervise, ALostRankIsNamedAndTheOthersEnd) {
  EXPECT_EQ(run("killed"), 76);
  EXPECT_THAT(said, HasSubstr("rank 1 was lost (signal 9)"));
  expect_nobody_left();
}

TEST_F(Supervise, RanksThatDoNotListenAreKilled) {
  EXPECT_EQ(run("killed-beside-deaf", 3), 76);
  expect_nobody_left(3);
}

TEST_F(Supervise, TheFirstRanksErrorIsTheStatus) {
  EXPECT_EQ(run("bad-data", 3), 65);
  EXPECT_THAT(said, AllOf(HasSubstr("rank 2 ended the run with status 65: pool.store: shard 3 is damaged"), Not(HasSubstr("lost"))));
  expect_nobody_left(3);
}

TEST_F(Supervise, ARankThatLeavesWithoutAWordIsLost) {
  EXPECT_EQ(run("exits"), 76);
  EXPECT_THAT(said, HasSubstr("rank 1 was lost (exit status 5)"));
  expect_nobody_left();
}

TEST_F(Supervise, TheRankThatWasEndedIsNamedAndNotItsPeers) {
  EXPECT_EQ(run("terminated", 3), 76);
  EXPECT_THAT(said, AllOf(HasSubstr("rank 2 was ended from outside"), Not(HasSubstr("rank 0"))));
}

TEST_F(Supervise, TheRankThatWasMissedIsNamedAndNotWhoWaited) {
  EXPECT_EQ(run("missed", 3), 76);
  EXPECT_THAT(said,
              AllOf(HasSubstr("Missing: rank 0 (its process is stopped)"), Not(HasSubstr("was lost")), Not(HasSubstr("from outside"))));
}

TEST_F(Supervise, RanksOfAnotherMpiDoNotTrain) {
  EXPECT_EQ(run_under("shift 2; \"$@\" & one=$!; \"$@\"; status=$?; wait $one; exit $status\n"), 69);
  EXPECT_THAT(said, AllOf(HasSubstr(mpirun.string() + " started 2 ranks that do not see each other"), Not(HasSubstr("was lost"))));
}

TEST_F(Supervise, ALauncherThatRefusesIsNoLostRank) {
  const std::string rule(74, '-');
  EXPECT_EQ(run_under("echo " + rule + " >&2; echo no such node: a_b >&2; echo " + rule + " >&2; exit 1\n"), 69);
  EXPECT_THAT(said,
              AllOf(HasSubstr(mpirun.string() + " ended before any rank began"), HasSubstr("no such node: a_b"), Not(HasSubstr("lost"))));
  EXPECT_EQ(run_under("kill -ABRT $$\n"), 69) << said;
  EXPECT_EQ(run_under("kill -KILL $$\n"), 76) << "somebody killed it: " << said;
}

TEST_F(Supervise, SpaceOfTheDeadIsTakenBackAndThatOfTheLivingStays) {
  const std::filesystem::path dead = fmt::format("/dev/shm/duet-ranks-{}-dead", ::getpid());
  // As in another container, whose process ids say nothing here.
  const std::filesystem::path living = "/dev/shm/duet-ranks-4194304-living";
  std::filesystem::create_directory(dead);
  std::filesystem::create_directory(living);
  const int lock = ::open(living.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(run("fine"), 0) << said;
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(std::filesystem::exists(living));
  ::close(lock);
  std::filesystem::remove(living);
}

/// From here on no process of this one's may read the memory of another, as in many a container.
void forbid_reading_of_memory() {
  sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {std::size(steps), steps};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(2);
}

// Open MPI would try for each message, fail, and say so.
TEST_F(Supervise, WhereNeighboursMemoryIsClosedOpenMpiIsToldSo) {
  for (const auto with : {Launcher::local, Launcher::mpirun}) {
    const pid_t child = ::fork();
    if (child == 0) {
      forbid_reading_of_memory();
      launcher = with;
      run_under("echo copies by $OMPI_MCA_btl_vader_single_copy_mechanism >&2; exit 1\n");
      ::_exit(said.find("copies by none") != std::string::npos ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "with launcher " << static_cast<int>(with);
    std::filesystem::remove_all(folder / "bin");
  }
}

TEST_F(Supervise, AnErrorBeforeTheRunBeganKeepsItsStatus) { EXPECT_EQ(run("usage"), 64); }

TEST_F(Supervise, EachStopSignalLetsAllRanksSave) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR2, SIGHUP}) {
    for (int rank = 0; rank < 2; ++rank) std::filesystem::remove(folder / fmt::format("ready-{}", rank));
    auto sender = send_when_ready({number});
    EXPECT_EQ(run("works"), 75) << said;
    sender.join();
    for (int rank = 0; rank < 2; ++rank) EXPECT_TRUE(std::filesystem::remove(folder / fmt::format("saved-{}", rank))) << rank;
    expect_nobody_left();
  }
}

TEST_F(Supervise, WhoDoesNotSaveInTimeIsEnded) {
  auto sender = send_when_ready({SIGTERM});
  EXPECT_EQ(run("stubborn", 2, 0.2), 76);
  sender.join();
  EXPECT_THAT(said, HasSubstr("did not stop within"));
  expect_nobody_left();
}

TEST_F(Supervise, ASecondInterruptStopsAtOnce) {
  auto sender = send_when_ready({SIGINT, SIGINT});
  EXPECT_EQ(run("stubborn"), 76);
  sender.join();
  EXPECT_THAT(said, HasSubstr("stopped at once"));
  expect_nobody_left();
}

TEST_F(Supervise, WhatRanksLeaveBehindIsEndedToo) {
  EXPECT_EQ(run("orphan"), 0) << said;
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string command{std::istreambuf_iterator<char>(file), {}};
    left += command.find("supervised_rank") != std::string::npos && command.find(folder.path().string()) != std::string::npos;
  }
  EXPECT_EQ(left, 0);
}

TEST_F(Supervise, AProgramThatIsNotThereIsAnError) {
  EXPECT_THROW(supervise({.ranks = 2, .run_folder = folder.path(), .program = folder / "nothing", .arguments = {}}), Unavailable);
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THROW(supervise({.ranks = 2, .run_folder = folder.path(), .program = SUPERVISED_RANK, .arguments = {"fine", folder.path()}}),
               Unavailable);
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace duet
