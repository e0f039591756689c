#include "monitoring/log/progress.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace duet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A progress line whose clock the test turns, and whose output it reads.
struct Screen {
  double seconds = 100;
  int columns = 80;
  std::vector<std::string> rewritten, printed;

  ProgressSink sink(bool terminal) {
    return {.terminal = terminal,
            .width = [this] { return columns; },
            .now = [this] { return seconds; },
            .transient = [this](const std::string& text) { rewritten.push_back(text); },
            .line = [this](const std::string& text) { printed.push_back(text); }};
  }
};

TEST(Progress, SaysHowFarHowFastAndHowLong) {
  Screen screen;
  Progress progress("retrieval", "steps", 1200, 0, screen.sink(true));
  screen.seconds += 34;
  progress.update(340, "loss 0.83");
  EXPECT_THAT(screen.rewritten, ElementsAre("retrieval 340/1200 · loss 0.83 · 10.0 steps/s · 1 min 26 s left"));
  EXPECT_THAT(screen.printed, IsEmpty());
  progress.finish("loss 0.31");
  EXPECT_THAT(screen.printed, ElementsAre("retrieval: 340 steps in 34 s · loss 0.31"));
  EXPECT_EQ(screen.rewritten.back(), "") << "the rewritten line must be gone before the closing one";
}

TEST(Progress, IsNeverWiderThanTheTerminal) {
  Screen screen;
  screen.columns = 24;
  Progress progress("retrieval", "steps", 1200, 0, screen.sink(true));
  screen.seconds += 34;
  progress.update(340, "loss 0.83");
  EXPECT_EQ(screen.rewritten.back(), "retrieval 340/1200 · l…");  // 23 columns: the last one stays empty
}

TEST(Progress, WithoutATerminalPrintsALineEveryTenSeconds) {
  Screen screen;
  Progress progress("import", "photos", 0, 0, screen.sink(false));
  for (int second = 1; second <= 25; ++second) {
    screen.seconds += 1;
    progress.update(second * 200);
  }
  EXPECT_THAT(screen.printed, ElementsAre("import 2000 photos · 200 photos/s", "import 4000 photos · 200 photos/s"));
  EXPECT_THAT(screen.rewritten, IsEmpty());
}

TEST(Progress, RateFollowsAChangeOfSpeedAndIgnoresWorkBeforeAResume) {
  Screen screen;
  Progress progress("joint", "steps", 100000, 5000, screen.sink(true));
  std::int64_t done = 5000;
  const auto run = [&](int seconds, int units_a_second) {
    for (int i = 0; i < seconds; ++i) {
      screen.seconds += 1;
      progress.update(done += units_a_second);
    }
  };
  run(10, 20);
  EXPECT_NEAR(progress.rate(), 20, 1e-9);
  run(30, 5);
  EXPECT_GT(progress.rate(), 5.5) << "one slow stretch should not jerk the estimate";
  EXPECT_LT(progress.rate(), 15);
  run(300, 5);
  EXPECT_NEAR(progress.rate(), 5, 0.01);
}

TEST(Progress, LeavesNoLineBehindWhenItsWorkFails) {
  Screen screen;
  {
    Progress progress("import", "photos", 10, 0, screen.sink(true));
    screen.seconds += 1;
    progress.update(1);
  }
  EXPECT_EQ(screen.rewritten.back(), "");
}

TEST(Progress, CutsBetweenCharactersOnly) {
  EXPECT_EQ(cut_to_columns("·····", 5), "·····");
  EXPECT_EQ(cut_to_columns("·····", 4), "···…");
  EXPECT_EQ(cut_to_columns("abc", 1), "…");
  EXPECT_EQ(cut_to_columns("abc", 0), "");
}

}  // namespace
}  // namespace duet
