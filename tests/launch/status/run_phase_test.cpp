#include "launch/status/run_phase.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

QueuedJob job(const std::string& state) {
  return {.id = "12", .state = state, .reason = "", .nodes = "", .time_left = "", .starts = std::nullopt};
}

TEST(RunPhase, FollowsTheLockFirst) {
  EXPECT_EQ(phase_of({.locked = true, .had_owner = true, .released = false}), RunPhase::running);
  // A requeued job waits while ranks of the old one still live.
  EXPECT_EQ(phase_of({.locked = true, .had_owner = true, .released = false, .submitted = true, .job = job("PENDING")}), RunPhase::running);
}

TEST(RunPhase, OfAJobInTheQueue) {
  EXPECT_EQ(phase_of({.submitted = true, .job = job("PENDING")}), RunPhase::waiting);
  EXPECT_EQ(phase_of({.had_owner = true, .end = ExitStatus::interrupted, .submitted = true, .job = job("PENDING")}), RunPhase::waiting);
  EXPECT_EQ(phase_of({.had_owner = true, .released = false, .submitted = true, .job = job("PENDING")}), RunPhase::waiting)
      << "its node died; it was requeued";
  EXPECT_EQ(phase_of({.submitted = true, .job = job("CONFIGURING")}), RunPhase::starting);
  auto again = job("RUNNING");
  again.starts = 1000;
  EXPECT_EQ(phase_of({.had_owner = true, .end = ExitStatus::interrupted, .end_time = 900, .submitted = true, .job = again}),
            RunPhase::starting)
      << "what was said before the job's start is the past";
  EXPECT_EQ(phase_of({.had_owner = true, .end = ExitStatus::numerical, .end_time = 1100, .submitted = true, .job = again}),
            RunPhase::failed);
  EXPECT_EQ(phase_of({.submitted = true}), RunPhase::lost) << "the job is gone and nothing began";
}

TEST(RunPhase, OfAnEndedRunIsWhatItsRanksSaidLast) {
  const auto ended = [](std::optional<ExitStatus> end, bool stepped = true) {
    return phase_of({.had_owner = true, .released = end.has_value(), .end = end, .stepped = stepped});
  };
  EXPECT_EQ(ended(ExitStatus::done), RunPhase::finished);
  EXPECT_EQ(ended(ExitStatus::interrupted), RunPhase::interrupted);
  EXPECT_EQ(ended(ExitStatus::rank_lost), RunPhase::lost);
  EXPECT_EQ(ended(ExitStatus::numerical), RunPhase::failed);
  EXPECT_EQ(ended(ExitStatus::bad_data), RunPhase::failed);
  EXPECT_EQ(ended(ExitStatus::bad_data, false), RunPhase::refused);
  EXPECT_EQ(ended(ExitStatus::usage, false), RunPhase::refused);
  EXPECT_EQ(ended(std::nullopt), RunPhase::lost) << "killed without a word";
}

TEST(RunPhase, OfAnOwnerWhoseLocksAreNotSeenHere) {
  RunEvidence elsewhere{.had_owner = true, .released = false, .owner_elsewhere = true, .silent_seconds = 20};
  EXPECT_EQ(phase_of(elsewhere), RunPhase::running);
  elsewhere.silent_seconds = 24 * 3600;
  EXPECT_EQ(phase_of(elsewhere), RunPhase::lost);
  elsewhere.submitted = true;
  elsewhere.job = job("RUNNING");
  EXPECT_EQ(phase_of(elsewhere), RunPhase::running) << "the queue knows better than the files' age";
  elsewhere.silent_seconds = 20;
  elsewhere.job.reset();
  EXPECT_EQ(phase_of(elsewhere), RunPhase::lost) << "the job is gone";
}

}  // namespace
}  // namespace duet
