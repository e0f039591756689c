#include "cluster/ranks/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace duet {
namespace {

TEST(Device, APluginThatIsNotThereIsNamedWithAWayOut) {
  // It lies beside the program, and this is another program.
  try {
    load_cuda_backend();
    FAIL() << "a plugin was found beside the test program";
  } catch (const Unavailable& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("libduet_cuda.so"), testing::HasSubstr("--run.device=cpu")));
  }
}

}  // namespace
}  // namespace duet
