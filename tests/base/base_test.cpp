#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/checksum.h"
#include "base/file.h"
#include "base/file_kind.h"
#include "base/json.h"
#include "base/random.h"
#include "base/time.h"

namespace duet {
namespace {

TEST(File, LeavesNothingBehindWhenWritingFails) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "target");  // a folder in the way: rename must fail
  EXPECT_THROW(write_file_atomically(folder / "target", std::string_view("x")), CannotWrite);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

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

TEST(File, ALinkUnderTheTemporaryNameIsNotFollowed) {
  TemporaryFolder folder;
  write_file_atomically(folder / "precious", std::string_view("old"));
  std::filesystem::create_symlink("precious", folder / fmt::format("new.partial-{}", ::getpid()));
  write_file_atomically(folder / "new", std::string_view("new"));
  EXPECT_EQ(read_file(folder / "precious"), "old");
  EXPECT_EQ(read_file(folder / "new"), "new");
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

TEST(Checksum, OfFileEqualsOfBytes) {
  TemporaryFolder folder;
  std::string content(3 << 20, '\0');
  KeyedRandom random(1, Purpose::test, 0, 0);
  for (auto& c : content) c = static_cast<char>(random.next());
  write_file_atomically(folder / "a", std::string_view(content));
  EXPECT_EQ(checksum_of_file(folder / "a"), checksum(bytes_of(content)));
  EXPECT_EQ(from_hex(to_hex(0x0123456789abcdefULL)), 0x0123456789abcdefULL);
  EXPECT_THROW(from_hex("12g4"), DataError);
}

TEST(Json, FaultsNameTheirSubjectAndKey) {
  EXPECT_THAT([] { parse_json("{", "some/file"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("some/file")));
  const auto object = parse_json(R"({"count": "three"})", "f");
  EXPECT_THAT([&] { member<int>(object, "count", "f"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("'count'")));
  EXPECT_THROW(member<int>(object, "absent", "f"), DataError);
}

TEST(Json, WhatWouldExhaustTheStackOrTheClockIsRefusedBeforeItIsParsed) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "f"));
  for (const auto depth : {65, 100'000}) {
    EXPECT_THAT([&] { parse_json(nested(depth), "some/file"); },
                testing::ThrowsMessage<DataError>(testing::HasSubstr("some/file: its JSON is nested more than 64 deep")));
    EXPECT_TRUE(parse_json_line(R"({"a":)" + nested(depth) + "}").is_discarded());
  }
  EXPECT_NO_THROW(parse_json(R"({"text": ")" + std::string(100, '[') + R"(\"[[["})", "f")) << "brackets in strings do not count";
  EXPECT_NO_THROW(parse_json("[" + std::string(99, ' ') + "[1],[2],[3]]", "f"));

  const auto object_of = [](int keys) {
    std::string text = "{";
    for (int i = 0; i < keys; ++i) text += fmt::format(R"({}"{}":0)", i == 0 ? "" : ",", i);
    return text + "}";
  };
  EXPECT_NO_THROW(parse_json(object_of(1024), "f"));
  EXPECT_THAT([&] { parse_json(object_of(1025), "f"); }, testing::ThrowsMessage<DataError>(testing::HasSubstr("1024 keys")));
  EXPECT_NO_THROW(check_json_bounds(object_of(2000), "f", {.keys = 2000}));
  EXPECT_THAT([&] { check_json_bounds("[1,2,3,4]", "f", {.values = 4}); },
              testing::ThrowsMessage<DataError>(testing::HasSubstr("4 values")));
}

TEST(Json, NumbersThatDoNotFitAreRefused) {
  const auto object = parse_json(R"({"large": 4294967296, "huge": 1e300, "negative": -1, "whole": 3.0, "truth": true})", "f");
  EXPECT_THROW(member<int>(object, "large", "f"), DataError);
  EXPECT_THROW(member<std::int64_t>(object, "huge", "f"), DataError);
  EXPECT_THROW(member<std::uint64_t>(object, "negative", "f"), DataError);
  EXPECT_EQ(member<std::int64_t>(object, "large", "f"), std::int64_t{1} << 32);
  EXPECT_EQ(member<int>(object, "whole", "f"), 3);
  EXPECT_TRUE(member<bool>(object, "truth", "f"));
}

TEST(Json, TextThatIsNotUtf8IsWrittenAllTheSame) { EXPECT_EQ(json_text({{"name", "caf\xe9.png"}}), "{\"name\":\"caf\uFFFD.png\"}"); }

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

TEST(KeyedRandom, DependsOnEveryKeyAndOnNothingElse) {
  auto first = [](std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint64_t sample) {
    return KeyedRandom(seed, purpose, step, sample).next();
  };
  const auto value = first(1, Purpose::test, 2, 3);
  EXPECT_EQ(value, first(1, Purpose::test, 2, 3));
  const std::set<std::uint64_t> others{value,
                                       first(2, Purpose::test, 2, 3),
                                       first(1, Purpose::latent, 2, 3),
                                       first(1, Purpose::test, 3, 3),
                                       first(1, Purpose::test, 2, 4),
                                       first(1, Purpose::test, 3, 2)};
  EXPECT_EQ(others.size(), 6U);
}

TEST(KeyedRandom, MomentsAreThoseOfTheDistribution) {
  KeyedRandom random(5, Purpose::test, 0, 0);
  double sum = 0, squares = 0, uniform = 0;
  std::array<int, 7> faces{};
  const int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    uniform += random.uniform();
    ++faces[random.below(7)];
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(uniform / n, 0.5, 0.005);
  for (const int count : faces) EXPECT_NEAR(count, n / 7.0, 700);
}

TEST(Time, DurationsReadWell) {
  EXPECT_EQ(human_duration(11.6), "12 s");
  EXPECT_EQ(human_duration(245), "4 min 05 s");
  EXPECT_EQ(human_duration(11520), "3 h 12 min");
}

}  // namespace
}  // namespace duet
