#include "trainer/tensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace duet {
namespace {

using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  /// A file with this header and so many bytes of data.
  void write_raw(const std::string& header, std::size_t data_bytes) {
    std::uint64_t length = header.size();
    std::string content(8, '\0');
    std::memcpy(content.data(), &length, 8);
    write_file_atomically(file_, std::string_view(content + header + std::string(data_bytes, 'x')));
  }

  void expect_refusal(const std::string& part) {
    try {
      SafetensorsFile file(file_);
      ADD_FAILURE() << "accepted; expected a refusal with: " << part;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
      EXPECT_THAT(error.what(), HasSubstr("t.safetensors")) << "the message does not name the file";
    }
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "t.safetensors";
};

TEST_F(Safetensors, EveryTypeShapeAndStrideComesBack) {
  auto base = at::arange(24, at::kDouble).view({2, 3, 4}) * 0.37 - 3;
  NamedTensors tensors;
  for (auto dtype : {at::kHalf, at::kBFloat16, at::kFloat, at::kDouble, at::kLong, at::kByte}) {
    tensors.push_back({fmt::format("t.{}", c10::toString(dtype)), base.abs().to(dtype)});
  }
  tensors.push_back({"scalar", at::full({}, 42, at::kLong)});
  tensors.push_back({"empty", at::zeros({0, 5})});
  tensors.push_back({"strided", base.permute({2, 0, 1})});
  tensors.push_back({"needs \"quotes\" ü", at::ones({1}).requires_grad_()});
  write_safetensors(file_, tensors, {{"input", "RGB/255"}, {"note", "ü\n"}});

  SafetensorsFile file(file_);
  EXPECT_EQ(file.metadata().at("input"), "RGB/255");
  EXPECT_EQ(file.metadata().at("note"), "ü\n");
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    auto back = file.read(name);
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(back, tensor)) << name;
  }
  EXPECT_EQ(file.read_all().size(), tensors.size());
  EXPECT_EQ(file.find("absent"), nullptr);
  EXPECT_THROW(file.read("absent"), DataError);
}

TEST_F(Safetensors, TheBytesAreThoseOfTheFormat) {
  write_safetensors(file_, {{"a", at::full({2}, 1.0f)}, {"b", at::full({1}, 7, at::kByte)}}, {{"k", "v"}});
  auto content = read_file(file_);
  std::uint64_t length = 0;
  std::memcpy(&length, content.data(), 8);
  EXPECT_EQ((8 + length) % 8, 0u);
  auto header = parse_json(content.substr(8, length), "header");
  EXPECT_EQ(header.dump(), R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[0,8],"dtype":"F32","shape":[2]},)"
                           R"("b":{"data_offsets":[8,9],"dtype":"U8","shape":[1]}})");
  EXPECT_EQ(content.substr(8 + length), std::string("\0\0\x80\x3f\0\0\x80\x3f\x07", 9));
}

TEST_F(Safetensors, AFailedWriteLeavesTheOldFile) {
  write_safetensors(file_, {{"a", at::ones({2})}});
  EXPECT_THROW(write_safetensors(file_, {{"a", at::ones({2})}, {"a", at::ones({2})}}), InternalError);
  EXPECT_TRUE(at::equal(SafetensorsFile(file_).read("a"), at::ones({2})));
  EXPECT_THROW(write_safetensors(folder_ / "absent" / "t.safetensors", {{"a", at::ones({2})}}), CannotWrite);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1) << "a temporary file was left behind";
}

TEST_F(Safetensors, AMissingFileIsInputMissing) { EXPECT_THROW(SafetensorsFile(folder_ / "absent"), InputMissing); }

TEST_F(Safetensors, FilesThatAreNoneOrCutAreRefused) {
  write_file_atomically(file_, std::string_view("short"));
  expect_refusal("too short");
  write_file_atomically(file_, std::string_view("neither this nor that"));
  expect_refusal("its header would have");
  write_safetensors(file_, {{"a", at::ones({100})}});
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 1);
  expect_refusal("cut or damaged");
  std::filesystem::resize_file(file_, 20);
  expect_refusal("its header would have");
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  expect_refusal("not a regular file");
}

TEST_F(Safetensors, FilesOfAnotherKindAreNamedWithWhatToDo) {
  for (const auto& [content, name] : std::vector<std::pair<std::string, std::string>>{
           {"", "empty"},
           {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"},
           {"<!DOCTYPE html><html></html>", "web page"},
           {"\x1f\x8b\x08 and so on", "gunzip"},
           {"\x1f\x8b\x08" + std::string(600'000, '\0'), "gunzip"},  // of `gzip -n`: the length of a header that fits into the file
           {"{\"error\": \"Repository not found\"}", "is JSON"},
           {"\x93NUMPY\x01 and so on", ".npy"},
           {"{\"metadata\": {}, \"weight_map\": {}}", "in several files"},
           {"\x89PNG\r\n\x1a\n and so on", "a picture"},
       }) {
    SCOPED_TRACE(name);
    write_file_atomically(file_, std::string_view(content));
    expect_refusal(name);
    expect_refusal("docs/configuration.md");
  }
}

TEST_F(Safetensors, TensorsOfTypesThatAreNotReadAreListedAndRefusedWhenRead) {
  write_raw(R"({"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
            R"("b":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]},"c":{"dtype":"F4_NEW","shape":[3],"data_offsets":[7,9]}})",
            9);
  SafetensorsFile file(file_);
  EXPECT_EQ(file.entries().size(), 3u);
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_EQ(file.read("a").numel(), 1);
  EXPECT_EQ(file.find("b")->type, "BOOL");
  EXPECT_THROW(file.read("b"), DataError);
  EXPECT_THROW(file.read("c"), DataError);
}

TEST_F(Safetensors, AFileCutAfterItWasOpenedIsNoticed) {
  write_safetensors(file_, {{"a", at::ones({1000})}});
  SafetensorsFile file(file_);
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) - 8);
  EXPECT_THROW(file.read("a"), DataError);
}

TEST_F(Safetensors, HostileHeadersAreRefused) {
  struct Case {
    std::string header;
    std::size_t data;
    std::string message;
  };
  auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets);
  };
  for (const auto& [header, data, message] : {
           Case{"not json", 0, "not JSON"},
           Case{"[1, 2]", 0, "not an object"},
           Case{std::string(1000, '['), 0, "nested more than"},
           Case{R"({"a": 3})", 0, "'dtype' is missing"},
           Case{R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4, "'dtype' has the wrong type"},
           Case{R"({"__metadata__":{"a":[1]}})", 0, "'__metadata__' has the wrong type"},
           Case{one("F32", "\"x\"", "[0,4]"), 4, "its shape is not a list"},
           Case{one("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "its shape is not a list of at most"},
           Case{one("F32", "[-1]", "[0,4]"), 4, "-1 is not a whole number"},
           Case{one("F32", "[1.0]", "[0,4]"), 4, "1.0 is not a whole number"},
           Case{one("F32", "[4611686018427387904,4]", "[0,0]"), 0, "its shape overflows"},
           Case{one("F32", "[18446744073709551615]", "[0,0]"), 0, "its shape overflows"},
           Case{one("F32", "[18446744073709551616]", "[0,0]"), 0, "is not a whole number"},
           Case{one("F32", "[0,18446744073709551615]", "[0,0]"), 0, "its shape overflows"},
           Case{one("F32", "[0,4611686018427387904,4611686018427387904]", "[0,0]"), 0, "its shape overflows"},
           Case{one("F32", "[2305843009213693952,0]", "[0,0]"), 0, "its shape overflows"},
           Case{one("Q7", "[4611686018427387904,0,4]", "[0,0]"), 0, "its shape overflows"},
           Case{one("BOOL", "[2]", "[0,4]"), 4, "its shape needs 2 bytes"},
           Case{one("I32", "[2]", "[0,4]"), 4, "its shape needs 8 bytes"},
           Case{one("F32", "[2]", "[0,4]"), 4, "its shape needs 8 bytes"},
           Case{one("F32", "[1]", "[4,0]"), 4, "not inside the file's 4 bytes"},
           Case{one("F32", "[1]", "[-4,0]"), 4, "-4 is not a whole number"},
           Case{one("F32", "[2]", "[0,8]"), 4, "not inside the file's 4 bytes"},
           Case{one("F32", "[1]", "[18446744073709551612,18446744073709551615]"), 4, "not inside"},
           Case{one("F32", "[1]", "[0,4,8]"), 8, "not a pair"},
           Case{one("F32", "[1]", "[4,8]"), 8, "leaves a hole"},
           Case{one("F32", "[1]", "[0,4]"), 9, "5 bytes at the end belong to no tensor"},
           Case{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6,
                "overlaps"},
           Case{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4,
                "overlaps"},
       }) {
    SCOPED_TRACE(header.substr(0, 120));
    write_raw(header, data);
    expect_refusal(message);
  }
}

}  // namespace
}  // namespace duet
