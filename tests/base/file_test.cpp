#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/error.h"

namespace duet {
namespace {

TEST(File, ReadsBackWhatWasWrittenAndRefusesTooMuch) {
  TemporaryFolder folder;
  write_file_atomically(folder / "a", std::string_view("one"));
  write_file_atomically(folder / "a", std::string_view("two, longer"));
  EXPECT_EQ(read_file(folder / "a"), "two, longer");
  EXPECT_THROW(read_file(folder / "a", 5), DataError);
  EXPECT_THROW(read_file(folder / "absent"), InputMissing);
}

TEST(File, NamesFromFilesStayInTheirFolder) {
  EXPECT_EQ(path_inside("/data", "shards/1.h5"), "/data/shards/1.h5");
  for (const auto* name : {"/etc/passwd", "../x", "a/../../x", ""}) EXPECT_THROW(path_inside("/data", name), DataError) << name;
}

TEST(File, ModesAreThoseThatTheUmaskGrants) {
  TemporaryFolder folder;
  const auto mode_of = [&](const char* name) {
    struct stat status {};
    EXPECT_EQ(::stat((folder / name).c_str(), &status), 0) << name;
    return status.st_mode & 0777;
  };
  for (const mode_t mask : {002, 022, 077}) {
    const mode_t before = ::umask(mask);
    write_file_atomically(folder / "written", std::string_view("x"));
    append_line(folder / "appended", "x");
    ::close(open_or_create(folder / "opened", O_RDWR));
    ::umask(before);
    for (const char* name : {"written", "appended", "opened"}) {
      EXPECT_EQ(mode_of(name), 0666 & ~mask) << name;
      std::filesystem::remove(folder / name);
    }
  }
}

TEST(File, ALimitOfTheMachineIsNotAFaultOfTheFile) {
  for (const int limit : {EMFILE, ENFILE, ENOMEM}) EXPECT_THROW(throw_cannot_read("f", limit), Unavailable) << limit;
  for (const int away : {EIO, ESTALE, EACCES}) EXPECT_THROW(throw_cannot_read("f", away), CannotWrite) << away;
  EXPECT_THROW(throw_cannot_read("f", ENOENT), InputMissing);

  TemporaryFolder folder;
  write_file_atomically(folder / "whole", std::string_view("x"));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_THAT([&] { read_file(folder / "whole"); }, testing::ThrowsMessage<Unavailable>(testing::HasSubstr("ulimit -n")));
  EXPECT_THROW(checksum_of_file(folder / "whole"), Unavailable);
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace duet
