#include "base/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "tests/child_process.h"

namespace duet {
namespace {

TEST(AtomicFile, LeavesNothingBehindWhenWritingFails) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "target");  // a folder in the way: rename must fail
  EXPECT_THROW(write_file_atomically(folder / "target", std::string_view("x")), CannotWrite);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, ALinkUnderTheTemporaryNameIsNotFollowed) {
  TemporaryFolder folder;
  write_file_atomically(folder / "precious", std::string_view("old"));
  std::filesystem::create_symlink("precious", folder / fmt::format("new.partial-{}", ::getpid()));
  write_file_atomically(folder / "new", std::string_view("new"));
  EXPECT_EQ(read_file(folder / "precious"), "old");
  EXPECT_EQ(read_file(folder / "new"), "new");
}

TEST(AtomicFile, HoldsAllPiecesInTheirOrderHoweverLargeTheyAre) {
  TemporaryFolder folder;
  std::string all;
  AtomicFile file(folder / "a");
  for (const std::size_t size : {1UL, 70'000UL, 10UL, 65'535UL, 65'536UL, 3UL}) {
    const std::string piece(size, static_cast<char>('a' + all.size() % 26));
    file.write(piece);
    all += piece;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "a")) << "a part is visible";
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), all);
}

TEST(AtomicFile, WithoutCommitTheOldContentStaysAndNothingElse) {
  TemporaryFolder folder;
  write_file_atomically(folder / "a", std::string_view("old"));
  { AtomicFile(folder / "a").write("new"); }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicFile, AFullDiskIsToldWithTheFilesName) {
  TemporaryFolder folder;
  const int status = status_of(start_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      AtomicFile file(folder / "large");
      for (int i = 0; i < 200; ++i) file.write(std::string(1000, 'x'));
      file.commit();
    } catch (const CannotWrite& error) {
      return std::string(error.what()).find((folder / "large").string() + ": cannot be written") == 0 ? 7 : 1;
    }
    return 0;
  }));
  EXPECT_EQ(status, 7);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace duet
