#include "cluster/run/last_words.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/file.h"
#include "tests/child_process.h"

namespace duet {
namespace {

TEST(LastWords, TheFirstOnesCount) {
  const TemporaryFolder folder;
  EXPECT_EQ(status_of(start_child([&]() -> int {
              begin_last_words(folder.path(), 1);
              write_last_words(ExitStatus::bad_data, "a.h5: \"checksum\" differs \xff");
              write_last_words(ExitStatus::rank_lost, "consequence");
              leave_because_of_peer();
            })),
            76);
  const auto words = read_last_words(folder.path(), 1);
  ASSERT_TRUE(words);
  EXPECT_EQ(words->status, ExitStatus::bad_data);
  EXPECT_TRUE(words->message.starts_with("a.h5: \"checksum\" differs "));
  EXPECT_FALSE(words->secondary);
  EXPECT_FALSE(read_last_words(folder.path(), 0));
  clear_last_words(folder.path());
  EXPECT_FALSE(read_last_words(folder.path(), 1));
}

}  // namespace
}  // namespace duet
