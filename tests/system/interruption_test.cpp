#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>

#include "tests/system/tiny_run.h"

// Signals to a whole run: state saved, status 75, and the same command ends where the uninterrupted run does, byte for byte.

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Long enough that a signal in each stage comes before the stage's end.
Words longer() {
  return {"--generator.stroke_steps=6", "--generator.pair_steps=24", "--retrieval.steps=30",
          "--joint.steps=24",           "--run.evaluate_every=20",   "--run.samples_every=0"};
}

struct Stop {
  int signal;
  const char* name;
  std::string stage;
};

class Interruption : public testing::TestWithParam<int> {
 protected:
  Words options() const { return GetParam() > 1 ? longer() + Words{"--ranks", std::to_string(GetParam())} : longer(); }

  /// Stops the run in the middle of a stage. How far it had come by then.
  static std::int64_t interrupt(const TinyRun& tiny, const Words& command, const Stop& stop) {
    Child program(command);
    const bool there = wait_until([&] {
      const auto steps = tiny.steps();
      return !program.running() || (!steps.empty() && steps.back().at("stage") == stop.stage && steps.back().at("step") >= 2);
    });
    EXPECT_TRUE(there) << "never came to stage " << stop.stage << ": " << program.error_so_far();
    program.send(stop.signal);
    const auto outcome = program.wait();
    EXPECT_EQ(outcome.status, 75) << stop.name << " in " << stop.stage << ": " << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("state saved in " + tiny.folder().string()), HasSubstr("The same command continues")));
    EXPECT_TRUE(program.processes().empty());
    const auto steps = tiny.steps().back().at("total_step").get<std::int64_t>();
    EXPECT_EQ(tiny.latest().filename(), fmt::format("step-{:08}", steps)) << "what was done last is what was saved";
    return steps;
  }
};

TEST_P(Interruption, EndsWhereTheStraightRunEnds) {
  const TinyRun straight, interrupted;
  const auto outcome = run(straight.train(options()));
  ASSERT_EQ(outcome.status, 0) << outcome;
  std::int64_t steps = 0;
  for (const auto& stop : {Stop{SIGTERM, "TERM", "pairs"}, Stop{SIGINT, "INT", "retrieval"}, Stop{SIGUSR2, "USR2", "joint"}}) {
    const auto reached = interrupt(interrupted, interrupted.train(options()), stop);
    EXPECT_GT(reached, steps);
    steps = reached;
  }
  const auto rest = run(interrupted.train(options()));
  ASSERT_EQ(rest.status, 0) << rest;
  EXPECT_THAT(rest.error, HasSubstr(fmt::format("({} steps done)", steps)));
  EXPECT_EQ(interrupted.latest().filename(), straight.latest().filename());
  for (const char* network : {"retrieval", "retrieval-average", "retrieval-best", "generator", "discriminator"}) {
    const auto file = std::string(network) + ".safetensors";
    EXPECT_TRUE(read_file(interrupted.latest() / file) == read_file(straight.latest() / file)) << file << " differs";
  }
  // No step is logged twice, none is missing.
  const auto expected = straight.steps(), found = interrupted.steps();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].at("loss"), expected[i].at("loss")) << found[i];
}

INSTANTIATE_TEST_SUITE_P(Ranks, Interruption, testing::Values(1, 2), testing::PrintToStringParamName());

/// Whether a process has its own way to meet a signal.
bool catches(pid_t process, int signal) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigCgt:")) return std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1;
  }
  return false;
}

// A rank that is asked to save before it can hear ends the run as a lost one; from then on it saves, whatever it is at.
TEST(InterruptionBeforeTraining, SavesARunThatTheSameCommandContinues) {
  const TinyRun tiny;
  const auto command = tiny.train(endless() + Words{"--ranks", "2"});
  for (const std::int64_t steps : {0, 3}) {
    Child program(command);
    EXPECT_TRUE(wait_until([&] { return catches(program.process_of_rank(0), SIGUSR1) && catches(program.process_of_rank(1), SIGUSR1); }));
    wait_for_steps(program, tiny, steps);
    program.send(SIGTERM);
    const auto outcome = program.wait();
    EXPECT_EQ(outcome.status, 75) << outcome;
    EXPECT_TRUE(program.processes().empty());
  }
}

// Over an allocation's nodes. USR2 saves; TERM to all processes at once, as scancel sends it, leaves no time for that, but ends all and
// leaves a run that continues (docs/slurm.md).
TEST(InterruptionUnderMpirun, Usr2SavesAndTermToAllEnds) {
  const TinyRun tiny;
  const auto command = tiny.train(endless() + Words{"--ranks", "2", "--launcher", "mpirun"});
  std::int64_t saved = 0;
  for (const int number : {SIGUSR2, SIGTERM}) {
    Child program(command, {.environment = {{"OMPI_MCA_rmaps_base_oversubscribe", "1"}}});
    wait_for_steps(program, tiny, saved + 8);
    if (number == SIGUSR2) {
      program.send(number);
    } else {
      for (const auto process : program.processes()) ::kill(process, number);
    }
    const auto outcome = program.wait();
    EXPECT_EQ(outcome.status, number == SIGUSR2 ? 75 : 76) << outcome;
    EXPECT_THAT(outcome.error, HasSubstr("continues"));
    EXPECT_TRUE(program.processes().empty());
    if (number == SIGUSR2) {
      saved = tiny.steps().back().at("total_step").get<std::int64_t>();
      EXPECT_EQ(tiny.latest().filename(), fmt::format("step-{:08}", saved));
    }
  }
  EXPECT_GE(tiny.latest().filename(), fmt::format("step-{:08}", saved)) << "what was saved before is still there";
}

}  // namespace
}  // namespace duet
