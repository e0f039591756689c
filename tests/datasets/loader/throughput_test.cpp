#include "datasets/loader/throughput.h"

#include <gmock/gmock.h>

#include "base/time.h"
#include "tests/datasets/loader/picture_store.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

TEST(LoaderThroughput, IsInPhotosASecond) {
  const TemporaryFolder folder;
  const auto path = make_store(folder.path(), StoreKind::pool, 30);
  const Stopwatch watch;
  const double rate = loader_photos_per_second(path, 0.1, 2);
  EXPECT_GE(rate * watch.seconds(), 64) << "at least a batch of 64 was counted, in less time than has passed here";
}

TEST(LoaderThroughput, OfAMissingStoreIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THROW(loader_photos_per_second(folder / "none", 0.1, 1), InputMissing);
}

}  // namespace
}  // namespace duet
