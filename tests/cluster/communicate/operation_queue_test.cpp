#include "cluster/communicate/operation_queue.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/no_threads.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(OperationQueue, SaysThatNoThreadIsGranted) {
  OperationQueue queue("gradients");
  int done = 0;
  {
    const NoThreads none;
    try {
      queue.start([&] { ++done; });
      ADD_FAILURE() << "it has started";
    } catch (const Unavailable& error) {
      EXPECT_THAT(error.what(), HasSubstr("the thread 'gradients' cannot be started"));
    }
    queue.run([&] { ++done; });  // needs none
  }
  EXPECT_EQ(done, 1);
  queue.start([&] { ++done; })->wait();
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace duet
