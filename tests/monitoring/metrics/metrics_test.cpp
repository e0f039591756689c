#include "monitoring/metrics/metrics.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "monitoring/metrics/catalogue.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, CarryRunAndRankThoughMadeBeforeTheyWereKnown) {
  Metrics registry;
  const auto samples = registry.counter("duet_photos_read_total");
  const auto rate = registry.gauge("duet_learning_rate", {.phase = "retrieval_fit", .network = "retrieval"});
  samples.add(16);
  samples.add();
  rate.set(0.25);
  registry.identify("chairs \"1\"", 3);
  const auto text = registry.text();
  EXPECT_THAT(text, HasSubstr("duet_photos_read_total{run=\"chairs \\\"1\\\"\",rank=\"3\"} 17\n"));
  EXPECT_THAT(text,
              HasSubstr("duet_learning_rate{run=\"chairs \\\"1\\\"\",rank=\"3\",network=\"retrieval\",phase=\"retrieval_fit\"} 0.25\n"));
  EXPECT_THAT(text, Not(HasSubstr("stage=")));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics registry;
  registry.counter("duet_steps_total", {.phase = "p", .stage = "joint"}).add(2);
  registry.counter("duet_steps_total", {.phase = "p", .stage = "joint"}).add(3);
  registry.counter("duet_steps_total", {.phase = "p", .stage = "retrieval"}).add(1);
  EXPECT_EQ(registry.counter("duet_steps_total", {.phase = "p", .stage = "joint"}).value(), 5);
}

TEST(Metrics, AreThoseOfTheCatalogueOnly) {
  Metrics registry;
  EXPECT_THROW(registry.gauge("duet_losses"), InternalError);
  EXPECT_THROW(registry.gauge("duet_checkpoints_total"), InternalError);
  EXPECT_THROW(registry.counter("duet_loss", {.phase = "retrieval_fit", .stage = "retrieval"}), InternalError);
  EXPECT_THROW(registry.gauge("duet_loss", {.phase = "retrieval_fit"}), InternalError);
  EXPECT_THROW(registry.gauge("duet_reward", {.stage = "joint"}), InternalError);
}

TEST(Metrics, CountFromManyThreadsWhileBeingRead) {
  Metrics registry;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto counter = registry.counter("duet_checkpoints_total");
      for (int k = 0; k < 1000; ++k) counter.add();
    });
  }
  for (int k = 0; k < 20; ++k) (void)registry.text();
  threads.clear();
  EXPECT_EQ(registry.counter("duet_checkpoints_total").value(), 4000);
}

// The judge is Prometheus's own checker.
TEST(Metrics, TextPassesPromtool) {
  Metrics registry;
  registry.identify("caf\xe9", 0);  // a folder's name that is not UTF-8
  registry.counter("duet_photos_read_total").add(3);
  registry.gauge("duet_reward").set(4);
  const auto step = registry.histogram("duet_step_seconds", {.phase = "retrieval_fit", .stage = "retrieval"});
  step.observe(0.03);
  step.observe(250);
  TemporaryFolder folder;
  std::ofstream(folder / "metrics") << registry.text();
  const auto command = "promtool check metrics < " + (folder / "metrics").string() + " > " + (folder / "verdict").string() + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder / "verdict") << registry.text();
}

}  // namespace
}  // namespace duet
