#include "base/log.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(Log, LinesComeAboveTheTransientOne) {
  testing::internal::CaptureStderr();
  show_transient("10/20");
  say("rank {} is late", 1);
  show_transient("11/20");
  show_transient("11/20");
  show_transient("");
  say("done");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "\r\x1b[K10/20"
            "\r\x1b[Kduet: rank 1 is late\n10/20"
            "\r\x1b[K11/20"
            "\r\x1b[K"
            "duet: done\n");
}

TEST(Log, NamesGiveTheTerminalNoCommands) {
  testing::internal::CaptureStderr();
  warn("photo '{}' is left out", "\x1b]0;owned\x07");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "duet: warning: photo '\\x1b]0;owned\\x07' is left out\n");
}

}  // namespace
}  // namespace duet
