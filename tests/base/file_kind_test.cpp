#include "base/file_kind.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

TEST(FileKind, SaysWhatAFileOfAnotherKindIsAndWhichStepTakesIt) {
  using namespace std::string_literals;
  TemporaryFolder folder;
  const auto kind_of = [&](const std::string& content) {
    write_file_atomically(folder / "file", std::string_view(content));
    return file_kind(folder / "file");
  };
  const auto zip_of = [](const std::string& first) {
    return "PK\3\4"s + std::string(22, '\0') + static_cast<char>(first.size()) + "\0\0\0"s + first;
  };
  EXPECT_EQ(kind_of("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), FileKind::lfs_pointer);
  EXPECT_THAT(looks_like(folder / "file"), testing::HasSubstr("git lfs pull"));
  EXPECT_EQ(kind_of("\n <!DOCTYPE HTML><p>Sign in"), FileKind::web_page);
  EXPECT_EQ(kind_of("\x1f\x8b\x08 and so on"), FileKind::compressed);
  EXPECT_EQ(kind_of(zip_of("train.npy")), FileKind::numpy_archive);
  EXPECT_EQ(kind_of(zip_of("archive/data.pkl")), FileKind::torch);
  EXPECT_EQ(kind_of(zip_of("photo/a.png")), FileKind::archive);
  EXPECT_EQ(kind_of("\x93NUMPY\1\0"s), FileKind::numpy_array);
  EXPECT_EQ(kind_of("\x80\x04}."), FileKind::pickle);
  EXPECT_EQ(kind_of("\x02\0\0\0\0\0\0\0{}"s), FileKind::safetensors);
  EXPECT_EQ(kind_of(R"({"metadata": {}, "weight_map": {"a": "b"}})"), FileKind::weight_index);
  EXPECT_EQ(kind_of(R"({"word": "chair"})"), FileKind::json);
  EXPECT_EQ(kind_of(""), FileKind::empty);
  EXPECT_EQ(kind_of("(dp0\n."), FileKind::unknown);
  EXPECT_EQ(file_kind(folder / "absent"), FileKind::unknown);
  EXPECT_EQ(file_kind(folder.path()), FileKind::unknown);

  kind_of("%PDF-1.7");
  EXPECT_THAT([&] { check_file_kind(folder / "file", {FileKind::json}, "A list is wanted."); },
              testing::ThrowsMessage<DataError>(testing::HasSubstr("file: is a PDF document. A list is wanted.")));
  EXPECT_NO_THROW(check_file_kind(folder / "file", {FileKind::pdf}, ""));
}

}  // namespace
}  // namespace duet
