#include "cluster/run/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/child_process.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// A process that owns `folder` until it is killed. Returns once it does.
pid_t start_owner(const std::filesystem::path& folder) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = start_child([&] {
    const RunLock lock(folder);
    [[maybe_unused]] const auto written = ::write(ready[1], "x", 1);
    ::pause();
    return 0;
  });
  char byte;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return child;
}

TEST(RunLock, ASecondJobIsToldWhoOwnsTheFolder) {
  const TemporaryFolder folder;
  const pid_t owner = start_owner(folder / "run");
  std::string message;
  try {
    const RunLock lock(folder / "run");
  } catch (const CannotCreate& error) {
    message = error.what();
  }
  EXPECT_THROW(RunLock::require_free(folder / "run"), CannotCreate);
  char host[256];
  ::gethostname(host, sizeof host);
  const auto since = read_json(folder / "run" / "owner.json").at("since").get<std::string>();
  EXPECT_THAT(message,
              AllOf(HasSubstr((folder / "run").string()), HasSubstr(fmt::format("process {} on {}", owner, host)), HasSubstr(since)));
  ::kill(owner, SIGKILL);
  status_of(owner);
}

TEST(RunLock, CanBeLookedAtWithoutDisturbingANewOwner) {
  const TemporaryFolder folder;
  EXPECT_FALSE(RunLock::is_held(folder / "run"));
  EXPECT_FALSE(read_run_owner(folder / "run"));
  {
    const RunLock lock(folder / "run");
    EXPECT_TRUE(RunLock::is_held(folder / "run"));
    EXPECT_FALSE(read_run_owner(folder / "run")->released);
  }
  EXPECT_FALSE(RunLock::is_held(folder / "run"));
  EXPECT_TRUE(read_run_owner(folder / "run")->released);
  // Many looks a second, as of several people who watch.
  const pid_t watcher = start_child([&] {
    for (;;) RunLock::is_held(folder / "run");
    return 0;
  });
  for (int owner = 0; owner < 20; ++owner) EXPECT_NO_THROW(const RunLock lock(folder / "run")) << "owner " << owner;
  ::kill(watcher, SIGKILL);
  status_of(watcher);
}

TEST(RunLock, TheLockOfADeadProcessIsTakenOverWithAGreaterToken) {
  const TemporaryFolder folder;
  const pid_t owner = start_owner(folder / "run");
  ::kill(owner, SIGKILL);
  status_of(owner);
  RunLock::require_free(folder / "run");
  const RunLock lock(folder / "run");
  EXPECT_EQ(lock.token(), 2);
  EXPECT_TRUE(lock.still_mine());
}

TEST(RunLock, TokensGrowFromOwnerToOwner) {
  const TemporaryFolder folder;
  for (int token = 1; token <= 3; ++token) EXPECT_EQ(RunLock(folder / "run").token(), token);
}

TEST(RunLock, AnOwnerThatWasReplacedSeesItBeforeItPublishes) {
  const TemporaryFolder folder;
  const RunLock lock(folder / "run");
  ASSERT_TRUE(lock.still_mine());
  // As where the file system carries no locks between hosts: another host's job writes itself in.
  auto owner = read_json(folder / "run" / "owner.json");
  owner["token"] = lock.token() + 1;
  owner["host"] = "elsewhere";
  write_file_atomically(folder / "run" / "owner.json", owner.dump());
  EXPECT_FALSE(lock.still_mine());
}

TEST(RunLock, AFolderThatWasReplacedIsNoLongerMine) {
  const TemporaryFolder folder;
  const RunLock lock(folder / "run", 0.1);
  std::filesystem::rename(folder / "run", folder / "moved");
  EXPECT_FALSE(lock.still_mine());
  const RunLock other(folder / "run");
  EXPECT_FALSE(lock.still_mine());
  EXPECT_TRUE(other.still_mine());
}

TEST(RunLock, ARecordThatCannotBeReadForAMomentIsNoVerdict) {
  const TemporaryFolder folder;
  const auto record = folder / "run" / "owner.json";
  for (const bool damaged : {false, true}) {
    const RunLock lock(folder / "run", 30);
    std::filesystem::rename(record, folder / "aside");
    if (damaged) write_file_atomically(record, "{\"host\": 3");
    std::thread hiccup([&] {
      ::usleep(300000);
      std::filesystem::rename(folder / "aside", record);
    });
    EXPECT_TRUE(lock.still_mine()) << damaged;
    hiccup.join();
  }
}

TEST(RunLock, ALockFileThatIsAwayForAMomentIsNoVerdict) {
  const TemporaryFolder folder;
  const RunLock lock(folder / "run", 30);
  std::filesystem::rename(folder / "run", folder / "away");
  std::thread hiccup([&] {
    ::usleep(300000);
    std::filesystem::rename(folder / "away", folder / "run");
  });
  EXPECT_TRUE(lock.still_mine());
  hiccup.join();
}

/// While it lives, this process belongs to a Slurm job.
class InJob {
 public:
  InJob(const char* job, const char* restarts) {
    ::setenv("SLURM_JOB_ID", job, 1);
    ::setenv("SLURM_RESTART_COUNT", restarts, 1);
  }
  ~InJob() {
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_RESTART_COUNT");
  }
};

TEST(RunLock, ALaterStartOfTheSameSlurmJobTakesOverFromALivingProcess) {
  const TemporaryFolder folder;
  const InJob job("41", "1");
  const RunLock former(folder / "run");
  EXPECT_EQ(read_json(folder / "run" / "owner.json").at("slurm_job"), "41");
  EXPECT_EQ(read_json(folder / "run" / "owner.json").at("slurm_restarts"), 1);
  {
    const InJob again("41", "2");
    RunLock::require_free(folder / "run");
    const RunLock later(folder / "run");
    EXPECT_TRUE(later.still_mine());
    EXPECT_FALSE(former.still_mine());
    EXPECT_EQ(later.token(), former.token() + 1);
    EXPECT_FALSE(RunLock::has_successor(folder / "run"));
  }
  const InJob former_start("41", "1");
  EXPECT_TRUE(RunLock::has_successor(folder / "run"));
}

TEST(RunLock, NoOtherJobTakesOver) {
  const TemporaryFolder folder;
  const InJob job("41", "1");
  const RunLock owner(folder / "run");
  for (const auto& [other, restarts] : {std::pair{"42", "5"}, std::pair{"41", "1"}, std::pair{"41", "0"}}) {
    const InJob stranger(other, restarts);
    EXPECT_THROW(RunLock{folder / "run"}, CannotCreate) << other << " " << restarts;
    EXPECT_THROW(RunLock::require_free(folder / "run"), CannotCreate) << other << " " << restarts;
  }
  EXPECT_TRUE(owner.still_mine());
}

TEST(RunLock, WhoWasFencedOffLeavesTheRecordOfTheNextOwner) {
  const TemporaryFolder folder;
  auto former = [&] {
    const InJob job("41", "0");
    return std::make_unique<RunLock>(folder / "run");
  }();
  const InJob again("41", "1");
  const RunLock later(folder / "run");
  former.reset();
  EXPECT_TRUE(later.still_mine());
  EXPECT_EQ(read_json(folder / "run" / "owner.json").at("released"), false);
  const InJob once_more("41", "1");
  EXPECT_THROW(RunLock{folder / "run"}, CannotCreate) << "the new lock must hold";
}

TEST(RunLock, ADamagedRecordIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "run");
  write_file_atomically(folder / "run" / "owner.json", "{\"host\": 3");
  try {
    const RunLock lock(folder / "run");
    FAIL() << "a token below the former one could be given out";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("owner.json"));
  }
}

}  // namespace
}  // namespace duet
