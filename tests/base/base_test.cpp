#include <gmock/gmock.h>

#include <set>

#include "base/checksum.h"
#include "base/file.h"
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
