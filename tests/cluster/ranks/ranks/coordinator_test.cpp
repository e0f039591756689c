#include "cluster/ranks/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "tests/rank_world.h"
#include "tests/stop_request.h"

namespace duet {
namespace {

/// Answers with a directive of the state it was asked about.
class Echo : public DirectiveSource {
 public:
  Directive decide(const ClusterState& state) override {
    if (fail) throw DataError("pool.store: it is damaged");
    return {.phase = "joint_retrieval",
            .stage = "joint",
            .steps = 5,
            .evaluate = true,
            .checkpoint = state.stop_requested,
            .samples = false,
            .stop = state.stop_requested,
            .adopt_generation = state.newest_generation,
            .stop_reason = state.stop_reason};
  }
  bool fail = false;
};

TEST(Coordinator, AllRanksReceiveWhatRankZeroDecides) {
  auto& control = test_world().control();
  Echo source;
  const bool first = control.rank() == 0;
  Coordinator coordinator(control, first ? &source : nullptr, [&]() -> std::int64_t {
    EXPECT_TRUE(first) << "the store is looked at on rank 0 only";
    return 7;
  });
  const Directive expected{.phase = "joint_retrieval",
                           .stage = "joint",
                           .steps = 5,
                           .evaluate = true,
                           .checkpoint = false,
                           .samples = false,
                           .stop = false,
                           .adopt_generation = 7,
                           .stop_reason = ""};
  EXPECT_EQ(coordinator.next(), expected);
  const auto states = control.all_gather_strings(to_json(coordinator.state()).dump());
  for (const auto& state : states) EXPECT_EQ(state, states[0]);
  EXPECT_EQ(cluster_state_from_json(to_json(coordinator.state())), coordinator.state());
}

TEST(Coordinator, AStopSignalOnAnyRankStopsAll) {
  auto& control = test_world().control();
  for (int rank = 0; rank < control.size(); ++rank) {
    Echo source;
    Coordinator coordinator(control, control.rank() == 0 ? &source : nullptr);
    constexpr std::array kSignals{std::pair{SIGUSR1, "signal USR1"}, std::pair{SIGUSR2, "signal USR2"}, std::pair{SIGTERM, "signal TERM"}};
    const auto& [signal, reason] = kSignals[static_cast<std::size_t>(rank) % kSignals.size()];
    if (control.rank() == rank) request_stop(signal);
    const auto directive = coordinator.next();
    EXPECT_TRUE(directive.stop);
    EXPECT_EQ(directive.stop_reason, reason);
    clear_stop_request();
    EXPECT_FALSE(coordinator.next().stop);
  }
}

TEST(Coordinator, AnErrorInTheScheduleReachesAllRanksWithItsStatus) {
  auto& control = test_world().control();
  Echo source;
  source.fail = true;
  Coordinator coordinator(control, control.rank() == 0 ? &source : nullptr);
  try {
    coordinator.next();
    FAIL() << "no error on rank " << control.rank();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::bad_data);
    EXPECT_STREQ(error.what(), "pool.store: it is damaged");
  }
}

}  // namespace
}  // namespace duet
