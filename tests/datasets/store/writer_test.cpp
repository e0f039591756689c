#include "datasets/store/writer.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "datasets/store/verify.h"
#include "tests/datasets/store/store_fixture.h"

/// Stands before the C library's: what flock() fails with; 0: it is asked.
static int lock_fault = 0;
extern "C" int lock_or_fail(int file, int how) __asm__("flock");
extern "C" int lock_or_fail(int file, int how) {
  if (lock_fault == 0) return static_cast<int>(::syscall(SYS_flock, file, how));
  errno = lock_fault;
  return -1;
}

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Runs `body` in a child process and returns its wait status; its exit status is what `body` returns, 99 when it throws.
template <typename Body>
int status_of_child(Body body) {
  const auto child = ::fork();
  if (child == 0) {
    try {
      ::_exit(body());
    } catch (const std::exception& error) {
      ::write(2, error.what(), ::strlen(error.what()));
      ::_exit(99);
    }
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(StoreWriter, RefusesAnExistingStoreAndAFolderWithOtherFiles) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 5);
  EXPECT_THAT(message_of<CannotCreate>([&] { StoreWriter::create(path, StoreKind::pairs); }),
              AllOf(HasSubstr("pairs.store"), HasSubstr("is a store already")));
  std::filesystem::create_directory(folder / "other");
  overwrite(folder / "other/letter.txt", "dear");
  EXPECT_THAT(message_of<CannotCreate>([&] { StoreWriter::create(folder / "other", StoreKind::pairs); }), HasSubstr("letter.txt"));
  EXPECT_EQ(content_of(folder / "other/letter.txt"), "dear");
  overwrite(folder / "file", "x");
  EXPECT_THROW(StoreWriter::create(folder / "file", StoreKind::pairs), CannotCreate);
  EXPECT_THROW(StoreWriter::append(folder / "none"), InputMissing);
}

TEST(StoreWriter, AbandonedCreationLeavesNothing) {
  const TemporaryFolder folder;
  {
    auto writer = StoreWriter::create(folder / "s", StoreKind::pairs, {.shard_bytes = 1000});
    add_pairs(writer, 0, 20);
    EXPECT_TRUE(std::filesystem::exists(folder / "s/shards/00000001-000000.h5")) << "shards are to be written while streaming";
    EXPECT_THROW(Store::open(folder / "s"), InputMissing) << "visible before commit";
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "s"));
}

TEST(StoreWriter, AbandonedAppendingLeavesTheStoreAsItWas) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 20);
  const auto before = snapshot(path);
  {
    auto writer = StoreWriter::append(path, 1000);
    add_pairs(writer, 20, 40);
    EXPECT_NE(snapshot(path), before);
  }
  EXPECT_EQ(snapshot(path), before);
}

TEST(StoreWriter, KilledMidwayLeavesTheOldGenerationAndTheNextWriterCleansUp) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 20);
  const auto before = snapshot(path);
  const int status = status_of_child([&] {
    auto writer = StoreWriter::append(path, 1000);
    add_pairs(writer, 20, 40);
    std::ofstream(path / "shards/00000002-000077.h5.partial") << "half a shard";
    std::ofstream(path / "manifests/00000002.json") << "{";  // killed between the generation's file and the pointer
    return ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_NE(snapshot(path), before);
  EXPECT_TRUE(verify_store(path).good());
  EXPECT_EQ(Store::open(path)->view("all").photo_count(), 20);

  auto writer = StoreWriter::append(path);
  EXPECT_FALSE(std::filesystem::exists(path / "shards/00000002-000000.h5"));
  EXPECT_FALSE(std::filesystem::exists(path / "shards/00000002-000077.h5.partial"));
  add_pairs(writer, 20, 25);
  writer.commit({});
  EXPECT_EQ(Store::open(path)->view("all").photo_count(), 25);
  EXPECT_TRUE(verify_store(path).good());
}

TEST(StoreWriter, KilledCreationCanBeRepeated) {
  const TemporaryFolder folder;
  status_of_child([&] {
    auto writer = StoreWriter::create(folder / "s", StoreKind::pairs, {.shard_bytes = 1000});
    add_pairs(writer, 0, 20);
    return ::raise(SIGKILL);
  });
  auto writer = StoreWriter::create(folder / "s", StoreKind::pairs);
  add_pairs(writer, 0, 3);
  writer.commit({});
  EXPECT_TRUE(verify_store(folder / "s").good());
}

TEST(StoreWriter, OneWriterAtATimeAlsoOverProcesses) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 5);
  {
    const auto writer = StoreWriter::append(path);
    EXPECT_THAT(message_of<CannotWrite>([&] { StoreWriter::append(path); }),
                AllOf(HasSubstr("pairs.store"), HasSubstr("another program is writing")));
    const int status = status_of_child([&] {
      try {
        StoreWriter::append(path);
      } catch (const CannotWrite&) {
        return 7;
      }
      return 0;
    });
    EXPECT_EQ(WEXITSTATUS(status), 7);
  }
  EXPECT_NO_THROW(StoreWriter::append(path));
}

TEST(StoreWriter, AFileSystemWithoutLocksIsNoHindrance) {
  for (const int fault : {ENOLCK, EOPNOTSUPP, ENOSYS}) {
    const TemporaryFolder folder;
    testing::internal::CaptureStderr();
    lock_fault = fault;
    const auto path = make_pairs(folder.path(), 5);
    lock_fault = 0;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), AllOf(HasSubstr("pairs.store"), HasSubstr("does not lock files")));
    EXPECT_TRUE(verify_store(path).good());
    EXPECT_FALSE(std::filesystem::exists(path / "writer.lock"));
  }
}

TEST(StoreWriter, NamesThatAreNotUtf8CostNoStore) {
  const TemporaryFolder folder;
  const auto path = folder / "caf\xe9.store";
  auto writer = StoreWriter::create(path, StoreKind::pairs, {});
  add_pairs(writer, 0, 3);
  writer.commit({{"source", "caf\xe9.ndjson"}});
  EXPECT_TRUE(verify_store(path).good());
}

TEST(StoreWriter, FilesHaveTheModesThatTheUmaskGrants) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(002);
  const auto path = make_pairs(folder.path(), 5);
  ::umask(before);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, entry.is_directory() ? 0775 : 0664) << entry.path();
  }
}

TEST(StoreWriter, FullDiskIsReportedAndLosesNothing) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 20);
  const auto before = snapshot(path);
  // A limit on the size of files stands in for a full disk: write() fails half-way through a shard, for every user.
  const int status = status_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto said = message_of<CannotWrite>([&] {
      auto writer = StoreWriter::append(path, 150'000);
      for (int i = 0; i < 1000; ++i) writer.add_photo({photo_id(i), "train", noise_bytes(1, 1000), 20, 10, 0});
      writer.commit({});
    });
    const bool clear = said.find("pairs.store") != std::string::npos && said.find("File too large") != std::string::npos &&
                       said.find("make room") != std::string::npos;
    return clear ? 7 : 1;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << "status " << status;
  EXPECT_EQ(snapshot(path), before);
}

TEST(StoreWriter, FailureOfTheLastStepKeepsTheOldGeneration) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 20);
  const auto before = snapshot(path);
  const int status = status_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{40'000, 40'000};  // enough for each shard, not for the manifest with its long provenance
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto said = message_of<CannotWrite>([&] {
      auto writer = StoreWriter::append(path);
      add_pairs(writer, 20, 25);
      writer.commit({{"note", std::string(60'000, 'x')}});
    });
    return said.find("The store is as it was before") != std::string::npos ? 7 : 1;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << "status " << status;
  EXPECT_EQ(snapshot(path), before);
}

TEST(StoreWriter, RefusesWhatNoReaderWouldTake) {
  const TemporaryFolder folder;
  auto writer = StoreWriter::create(folder / "s", StoreKind::pairs, {.photo_format = PhotoFormat::raw});
  const auto bytes = noise_bytes(1, 12);
  EXPECT_THAT(message_of<DataError>([&] {
                writer.add_photo({"a", "train", bytes, 2, 3, 0});
              }),
              HasSubstr("'a': 12 bytes are not 2 x 3 RGB"));
  EXPECT_THROW(writer.add_photo({"", "train", bytes, 2, 2, 0}), DataError);
  EXPECT_THROW(writer.add_photo({std::string(2000, 'i'), "train", bytes, 2, 2, 0}), DataError);
  EXPECT_THROW(writer.add_photo({"a", "../x", bytes, 2, 2, 0}), DataError);
  EXPECT_THROW(writer.add_photo({"a", "all", bytes, 2, 2, 0}), DataError);
  EXPECT_THROW(writer.add_photo({"a", "train", bytes, 0, 2, 0}), DataError);
  EXPECT_THAT(message_of<DataError>([&] { writer.commit({}); }), HasSubstr("nothing was added"));
  const auto photo = writer.add_photo({"a", "train", bytes, 2, 2, 0});
  EXPECT_THAT(message_of<DataError>([&] { writer.add_sketch({"a_1", "", photo, {}}); }), HasSubstr("sketch 'a_1'"));
  EXPECT_THROW(writer.add_sketch({"a_1", "", photo, {{0, std::nan(""), 1}}}), DataError);
  EXPECT_THROW(writer.add_sketch({"a_1", "", -1, noise_sketch(1, 3)}), InternalError);
}

}  // namespace
}  // namespace duet
