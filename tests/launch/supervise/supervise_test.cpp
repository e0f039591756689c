#include "launch/supervise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
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

class Supervise : public testing::Test {
 protected:
  int run(const std::string& behaviour, int ranks = 2, double grace_seconds = 30) {
    testing::internal::CaptureStderr();
    const int status = supervise({.ranks = ranks,
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
    EXPECT_FALSE(std::filesystem::exists(fmt::format("/dev/shm/duet-ranks-{}", ::getpid()))) << "shared memory stays behind";
  }
  const TemporaryFolder folder;
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

TEST_F(Supervise, AnErrorBeforeTheRunBeganKeepsItsStatus) { EXPECT_EQ(run("usage"), 64); }

TEST_F(Supervise, EachStopSignalLetsAllRanksSave) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR2}) {
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
