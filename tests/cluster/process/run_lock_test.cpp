#include "cluster/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/cluster/process/child.h"

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
  const RunLock lock(folder / "run");
  std::filesystem::rename(folder / "run", folder / "moved");
  EXPECT_FALSE(lock.still_mine());
  const RunLock other(folder / "run");
  EXPECT_FALSE(lock.still_mine());
  EXPECT_TRUE(other.still_mine());
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
