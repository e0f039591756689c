#include "monitoring/metrics.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, CarryRunAndRankThoughMadeBeforeTheyWereKnown) {
  Metrics registry;
  const auto samples = registry.counter("duet_loader_samples_total", "Samples handed out.");
  const auto loss = registry.gauge("duet_loss", "Loss.", {.phase = "RetrievalFit", .network = "retrieval"});
  samples.add(16);
  samples.add();
  loss.set(0.25);
  registry.identify("chairs \"1\"", 3);
  const auto text = registry.text();
  EXPECT_THAT(text, HasSubstr("duet_loader_samples_total{run=\"chairs \\\"1\\\"\",rank=\"3\"} 17\n"));
  EXPECT_THAT(text, HasSubstr("duet_loss{run=\"chairs \\\"1\\\"\",rank=\"3\",network=\"retrieval\",phase=\"RetrievalFit\"} 0.25\n"));
  EXPECT_THAT(text, Not(HasSubstr("stage=")));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics registry;
  registry.counter("duet_steps_total", "Steps.", {.stage = "joint"}).add(2);
  registry.counter("duet_steps_total", "Steps.", {.stage = "joint"}).add(3);
  registry.counter("duet_steps_total", "Steps.", {.stage = "retrieval"}).add(1);
  EXPECT_EQ(registry.counter("duet_steps_total", "Steps.", {.stage = "joint"}).value(), 5);
}

TEST(Metrics, RefuseNamesThatBreakTheRules) {
  Metrics registry;
  EXPECT_THROW(registry.counter("loader_samples_total", ""), InternalError);
  EXPECT_THROW(registry.counter("duet_samples", ""), InternalError);
  EXPECT_THROW(registry.gauge("duet_samples_total", ""), InternalError);
  EXPECT_THROW(registry.gauge("duet_two words", ""), InternalError);
  registry.gauge("duet_depth", "Batches ready.");
  EXPECT_THROW(registry.gauge("duet_depth", "Something else."), InternalError);
  EXPECT_THROW(registry.histogram("duet_depth", "Batches ready.", {1, 2}), InternalError);
}

TEST(Metrics, CountFromManyThreadsWhileBeingRead) {
  Metrics registry;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto counter = registry.counter("duet_things_total", "Things.");
      for (int k = 0; k < 1000; ++k) counter.add();
    });
  }
  for (int k = 0; k < 20; ++k) (void)registry.text();
  threads.clear();
  EXPECT_EQ(registry.counter("duet_things_total", "Things.").value(), 4000);
}

// The judge is Prometheus's own checker.
TEST(Metrics, TextPassesPromtool) {
  Metrics registry;
  registry.identify("quickstart", 0);
  registry.counter("duet_loader_samples_total", "Samples handed to the trainer.").add(3);
  registry.gauge("duet_loader_ready_batches", "Batches decoded ahead of the trainer.").set(4);
  const auto step = registry.histogram("duet_step_seconds", "Time of a step.", duration_bounds(), {.phase = "RetrievalFit"});
  step.observe(0.03);
  step.observe(250);
  TemporaryFolder folder;
  std::ofstream(folder / "metrics") << registry.text();
  const auto command = "promtool check metrics < " + (folder / "metrics").string() + " > " + (folder / "verdict").string() + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder / "verdict") << registry.text();
}

}  // namespace
}  // namespace duet
