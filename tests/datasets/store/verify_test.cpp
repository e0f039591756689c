#include "datasets/store/verify.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "base/checksum.h"
#include "datasets/store/shard.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

TEST(Damage, AFlippedByteOfAPhotoIsFoundAndNamed) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 30);
  const auto file = first_shard(path);
  const auto bytes = photo_bytes(2);
  flip_byte(file, place_of(file, bytes) + 100);
  const auto view = Store::open(path)->view("train");
  std::vector<std::byte> out;
  EXPECT_NO_THROW(view.read_photo(1, out));
  EXPECT_THAT(
      message_of<ChecksumError>([&] { view.read_photo(2, out); }),
      AllOf(HasSubstr("shards/00000001-000000.h5, photo 2 (id 'photo-0002'): checksum differs (stored "), HasSubstr("duet store verify")));
  const auto report = verify_store(path);
  EXPECT_THAT(report.bad_shards, SizeIs(1));
  ASSERT_THAT(report.bad_samples, SizeIs(1));
  EXPECT_EQ(report.bad_samples[0].index, 2);
  EXPECT_EQ(report.photos, 30);
}

TEST(Damage, TooFewOpenFilesAreNoDamage) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 10);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int used = ::dup(0);
  ::close(used);
  const rlimit few{static_cast<rlim_t>(used) + 1, before.rlim_max};  // the HDF5 library needs a second one
  setrlimit(RLIMIT_NOFILE, &few);
  const auto said = message_of<Unavailable>([&] { verify_store(path); });
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_THAT(said, HasSubstr("ulimit -n"));
  EXPECT_TRUE(verify_store(path).good());
}

}  // namespace
}  // namespace duet
