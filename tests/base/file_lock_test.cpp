#include "base/file_lock.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/file.h"
#include "base/time.h"
#include "tests/child_process.h"

namespace duet {
namespace {

using State = FileLock::State;

TEST(FileLock, OneHoldsIt) {
  const TemporaryFolder folder;
  {
    const FileLock first(folder / "lock");
    ASSERT_TRUE(first.is_held());
    EXPECT_EQ(FileLock(folder / "lock").state(), State::busy);
    EXPECT_EQ(FileLock::look(folder / "lock").state(), State::busy);
  }
  EXPECT_TRUE(FileLock(folder / "lock").is_held());
}

TEST(FileLock, GoesWithTheProcessThatHeldIt) {
  const TemporaryFolder folder;
  status_of(start_child([&] {
    const FileLock lock(folder / "lock");
    return ::raise(SIGKILL);
  }));
  EXPECT_TRUE(FileLock(folder / "lock").is_held());
}

TEST(FileLock, ThoseWhoLookKeepNobodyOutForLong) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "lock", std::string_view());
  auto looking = FileLock::look(folder / "lock");
  EXPECT_TRUE(FileLock::look(folder / "lock").is_held()) << "several may look";
  EXPECT_EQ(FileLock(folder / "lock").state(), State::busy);
  std::thread looker([&] {
    ::usleep(100000);
    looking = FileLock();
  });
  EXPECT_TRUE(FileLock(folder / "lock", 10).is_held());
  looker.join();
}

TEST(FileLock, AFileThatLostItsNameIsNotTaken) {
  const TemporaryFolder folder;
  const FileLock former(folder / "lock");
  std::filesystem::remove(folder / "lock");
  EXPECT_FALSE(former.has_name(folder / "lock"));
  const FileLock next(folder / "lock");
  EXPECT_TRUE(next.is_held());
  EXPECT_TRUE(next.has_name(folder / "lock"));
}

TEST(FileLock, WhatCannotBeOpenedSaysWhy) {
  const TemporaryFolder folder;
  EXPECT_EQ(FileLock(folder / "absent" / "lock").state(), State::not_opened);
  EXPECT_EQ(FileLock(folder / "absent" / "lock").error(), ENOENT);
  EXPECT_EQ(FileLock::look(folder / "lock").error(), ENOENT) << "looking makes no file";
  std::filesystem::create_symlink("elsewhere", folder / "link");
  EXPECT_EQ(FileLock(folder / "link").error(), ELOOP) << "no link is followed";
}

TEST(FileLock, AFolderCanBeHeldToo) {
  const TemporaryFolder folder;
  {
    const auto held = FileLock::of_folder(folder.path());
    ASSERT_TRUE(held.is_held());
    EXPECT_EQ(FileLock::of_folder(folder.path()).state(), State::busy);
  }
  EXPECT_TRUE(FileLock::of_folder(folder.path()).is_held());
  EXPECT_EQ(FileLock::of_folder(folder / "absent").state(), State::not_opened);
}

}  // namespace
}  // namespace duet
