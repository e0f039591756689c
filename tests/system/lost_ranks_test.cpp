#include <gmock/gmock.h>
#include <signal.h>

#include "base/time.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Continues a run until it has done more steps than before, and lets it save and stop.
void expect_to_continue(const TinyRun& tiny, const Words& command) {
  const auto checkpoint = tiny.latest();
  ASSERT_FALSE(checkpoint.empty());
  const auto saved = read_json(checkpoint / "manifest.json").at("step").get<std::int64_t>();
  Child again(command);
  const auto continued = [&] { return again.error_so_far().find(fmt::format("({} steps done)", saved)) != std::string::npos; };
  EXPECT_TRUE(wait_until([&] { return continued() || !again.running(); })) << again.error_so_far();
  EXPECT_TRUE(continued()) << again.error_so_far();
  wait_until([&] { return !again.running() || (!tiny.steps().empty() && tiny.steps().back().at("total_step") > saved); });
  again.send(SIGTERM);
  const auto outcome = again.wait();
  EXPECT_EQ(outcome.status, 75) << outcome;
}

TEST(LostRanks, OneThatIsKilledEndsTheOthersAndIsNamed) {
  const TinyRun tiny;
  const auto command = tiny.train(endless() + Words{"--ranks", "3"});
  Child program(command);
  wait_for_steps(program, tiny, 12);
  ASSERT_EQ(::kill(program.process_of_rank(1), SIGKILL), 0);
  const Stopwatch since;
  EXPECT_TRUE(wait_until([&] { return program.processes().empty(); }, 10)) << "processes are left: " << program.error_so_far();
  const auto outcome = program.wait(10);
  EXPECT_EQ(outcome.status, 76) << outcome;
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr("rank 1 was lost (signal 9)"), HasSubstr("The same command continues from the last checkpoint")));
  expect_to_continue(tiny, command);
}

TEST(LostRanks, RankZeroIsNoException) {
  const TinyRun tiny;
  const auto command = tiny.train(endless() + Words{"--ranks", "2"});
  Child program(command);
  wait_for_steps(program, tiny, 8);
  ASSERT_EQ(::kill(program.process_of_rank(0), SIGKILL), 0);
  EXPECT_TRUE(wait_until([&] { return program.processes().empty(); }, 10)) << program.error_so_far();
  const auto outcome = program.wait(10);
  EXPECT_EQ(outcome.status, 76) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("rank 0 was lost (signal 9)"));
  expect_to_continue(tiny, command);
}

TEST(LostRanks, OneThatHangsIsEndedAfterTheTimeOut) {
  const TinyRun tiny;
  Child program(tiny.train(endless() + Words{"--ranks", "2", "--cluster.timeout_seconds=4"}));
  wait_for_steps(program, tiny, 8);
  const auto hanging = program.process_of_rank(1);
  ASSERT_EQ(::kill(hanging, SIGSTOP), 0);
  const auto outcome = program.wait(30);
  EXPECT_EQ(outcome.status, 76) << outcome;
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr("did not end within 4 s"), HasSubstr(fmt::format("rank 1 (its process {} is stopped", hanging)),
                    HasSubstr("cluster.timeout_seconds")));
  EXPECT_TRUE(program.processes().empty());
}

TEST(LostRanks, NobodyOutlivesTheSupervisor) {
  const TinyRun tiny;
  Child program(tiny.train(endless() + Words{"--ranks", "2"}));
  wait_for_steps(program, tiny, 2);
  program.send(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return program.processes().empty(); }, 15)) << program.error_so_far();
}

}  // namespace
}  // namespace duet
