#include "datasets/import/photos/ordered_workers.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

#include "tests/datasets/import/fixtures.h"

namespace duet {
namespace {

TEST(OrderedWorkersDeathTest, ThreadsThatCannotBeStartedAreAnErrorThatNamesTheLimit) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto start = [] {
    const rlimit little{std::size_t{1} << 30, std::size_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &little);
    try {
      OrderedWorkers<int, int>(256, [](const int& task) { return task; });
    } catch (const Unavailable& error) {
      std::fputs(error.what(), stderr);
      std::_Exit(static_cast<int>(error.status()));
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(start(), ::testing::ExitedWithCode(69), "256 threads.*ulimit");
}

}  // namespace
}  // namespace duet
