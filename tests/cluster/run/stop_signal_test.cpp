#include "cluster/run/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include "base/file.h"
#include "cluster/run/last_words.h"
#include "tests/child_process.h"

namespace duet {
namespace {

/// Exit status of a process started as `by` that sends itself `signals`: 0 went on without a request, 75 was asked to stop, else it left.
int after_signals(StartedBy by, std::initializer_list<int> signals, const std::filesystem::path& run_folder = {}) {
  return status_of(start_child([&] {
    ::unsetenv("DUET_SUPERVISED");
    ::unsetenv("OMPI_COMM_WORLD_SIZE");
    ::unsetenv("PMIX_RANK");
    if (by != StartedBy::alone) ::setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    if (by == StartedBy::supervised) ::setenv("DUET_SUPERVISED", "1", 1);
    if (!run_folder.empty()) begin_last_words(run_folder, 3);
    install_stop_signals();
    for (const int number : signals) ::raise(number);
    return stop_requested() ? 75 : 0;
  }));
}

TEST(StopSignal, EachSignalMeansWhatTheWayOfStartingSays) {
  for (const auto by : {StartedBy::supervised, StartedBy::launched, StartedBy::alone}) {
    EXPECT_EQ(after_signals(by, {}), 0);
    EXPECT_EQ(after_signals(by, {SIGUSR1}), 75);
    EXPECT_EQ(after_signals(by, {SIGUSR2}), 75);
    EXPECT_EQ(after_signals(by, {SIGUSR2, SIGUSR2}), 75) << "schedulers repeat themselves";
    EXPECT_EQ(after_signals(by, {SIGTERM}), by == StartedBy::supervised ? 76 : 75);
    EXPECT_EQ(after_signals(by, {SIGINT}), by == StartedBy::alone ? 75 : 0);
    EXPECT_EQ(after_signals(by, {SIGHUP}), by == StartedBy::alone ? 75 : 0);
  }
  EXPECT_EQ(after_signals(StartedBy::alone, {SIGINT, SIGINT}), 128 + SIGINT);
}

TEST(StopSignal, ATerminalsEndThatWasIgnoredStaysIgnored) {
  const auto former = ::signal(SIGHUP, SIG_IGN);
  EXPECT_EQ(after_signals(StartedBy::alone, {SIGHUP}), 0);
  ::signal(SIGHUP, former);
}

TEST(StopSignal, ASupervisedRankThatIsEndedSaysThatItWasNotTheCause) {
  const TemporaryFolder folder;
  EXPECT_EQ(after_signals(StartedBy::supervised, {SIGTERM}, folder.path()), 76);
  const auto words = read_last_words(folder.path(), 3);
  ASSERT_TRUE(words);
  EXPECT_EQ(words->rank, 3);
  EXPECT_EQ(words->status, ExitStatus::rank_lost);
  EXPECT_TRUE(words->secondary);
  EXPECT_GT(words->time, 1.7e9);
}

TEST(StopSignal, TheReasonNamesTheSignal) {
  EXPECT_FALSE(stop_requested());
  EXPECT_EQ(stop_reason(), "");
  EXPECT_EQ(status_of(start_child([] {
              install_stop_signals();
              ::raise(SIGUSR1);
              return stop_requested() && stop_reason() == "signal USR1" ? 0 : 1;
            })),
            0);
}

}  // namespace
}  // namespace duet
