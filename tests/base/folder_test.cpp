#include "base/folder.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

TEST(Folder, ThatCannotBeMadeIsNamed) {
  TemporaryFolder folder;
  make_folder(folder / "a" / "b");
  make_folder(folder / "a" / "b");
  write_file_atomically(folder / "file", std::string_view("x"));
  EXPECT_THAT([&] { make_folder(folder / "file" / "b"); }, testing::ThrowsMessage<CannotCreate>(testing::HasSubstr("file/b")));
}

}  // namespace
}  // namespace duet
