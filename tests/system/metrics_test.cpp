#include <gmock/gmock.h>
#include <signal.h>

#include <cmath>
#include <fstream>
#include <regex>
#include <set>

#include "monitoring/metrics/catalogue.h"
#include "monitoring/metrics/run_name.h"
#include "tests/system/http.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// Sample lines of metrics: "name{labels}" to value.
using Samples = std::map<std::string, double>;

/// A real Pushgateway: what it holds is what runs left there when they ended.
class Pushgateway {
 public:
  Pushgateway()
      : port_(free_port()),
        program_({"prometheus-pushgateway", fmt::format("--web.listen-address=127.0.0.1:{}", port_), "--log.level=error"}) {
    EXPECT_TRUE(wait_until([&] { return get(port_, "/-/ready").find(" 200 ") != std::string::npos || !program_.running(); }, 30))
        << program_.error_so_far();
  }
  ~Pushgateway() { program_.send(SIGTERM); }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  /// Those of a run.
  Samples samples(const TinyRun& run) const {
    const auto label = fmt::format("run=\"{}\"", run_name(run.folder()));
    Samples found;
    const auto text = get(port_, "/metrics");
    const std::regex line(R"((^|\n)(duet_[^ \n]*) ([^ \r\n]+))");
    for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match)
      if ((*match)[2].str().find(label) != std::string::npos) found[(*match)[2]] = std::strtod((*match)[3].str().c_str(), nullptr);
    return found;
  }

 private:
  int port_;
  Child program_;
};

/// The names of the metrics, of those in `samples` that have left their initial value.
std::set<std::string> moved(const Samples& samples) {
  std::set<std::string> names;
  for (const auto& [sample, value] : samples) {
    auto name = sample.substr(0, sample.find('{'));
    if (name.ends_with("_bucket") || name.ends_with("_sum")) continue;
    if (name.ends_with("_count")) name.resize(name.size() - std::string("_count").size());
    if (value != 0) names.insert(name);
  }
  return names;
}

double value_of(const Samples& samples, const std::string& name, const std::string& label = "") {
  for (const auto& [sample, value] : samples) {
    if (sample.starts_with(name + "{") && sample.find(label) != std::string::npos) return value;
  }
  ADD_FAILURE() << "no sample of " << name << " with " << label;
  return std::nan("");
}

/// The last line of a phase.
Json last_step(const TinyRun& tiny, const std::string& phase) {
  Json last;
  for (const auto& line : tiny.steps()) {
    if (line.at("phase") == phase) last = line;
  }
  return last;
}

const Pushgateway& gateway() {
  static const Pushgateway started;
  return started;
}

// Trainings that bring all metrics to move, each done once, by whichever case asks first.

/// All stages on two ranks, with a pool of which one photo is damaged and one looks held out; stopped once and continued to its end.
struct ContinuedRun {
  TinyRun run;
  bool was_a_target = false, stayed_a_target = false;
  Samples stopped, finished;  ///< what the gateway held at the stop, and at the end
};

const ContinuedRun& continued_run() {
  static ContinuedRun made;
  static const bool done = [] {
    const auto& tiny = made.run;
    const auto pool = copy_store("pool.store", tiny.file("damaged"));
    const auto shard = shard_of(pool, "train");
    flip_bit(shard, photos_in(shard).at(3) + 100);
    std::filesystem::create_directories(tiny.file("more"));
    const auto shown = run(duet({"store", "show", (stores() / "pairs.store").string(), "--photo", "chair-0000000000", "--out",
                                 tiny.file("more/held-out.png").string()}));
    EXPECT_EQ(shown.status, 0) << shown;
    const auto appended = run(duet({"import", "photos", tiny.file("more").string(), "--append", "--out", pool.string()}));
    EXPECT_EQ(appended.status, 0) << appended;
    const auto command = tiny.train({"--ranks", "2", "--data.pool", pool.string(), "--data.max_bad_fraction=0.5", "--monitoring.push_url",
                                     gateway().url(), "--joint.steps=12"});
    const auto target = tiny.folder() / "prometheus-targets.json";
    {
      Child first(command);
      wait_for_steps(first, tiny, 12);
      made.was_a_target = std::filesystem::exists(target);
      first.send(SIGTERM);
      const auto stopped = first.wait();
      EXPECT_EQ(stopped.status, 75) << stopped;
    }
    made.stayed_a_target = std::filesystem::exists(target);
    made.stopped = gateway().samples(tiny);
    const auto outcome = run(command);
    EXPECT_EQ(outcome.status, 0) << outcome;
    made.finished = gateway().samples(tiny);
    return true;
  }();
  EXPECT_TRUE(done);
  return made;
}

/// Gradients that 16 bits cannot hold.
Words overflowing(const std::string& skipped_limit) {
  return {"--cluster.transport=fp16",
          "--retrieval.objective=infonce",
          "--retrieval.temperature=1e-7",
          "--run.skipped_limit=" + skipped_limit,
          "--generator.stroke_steps=0",
          "--generator.pair_steps=0",
          "--joint.steps=0"};
}

struct EndedRun {
  TinyRun run;
  Outcome outcome;
  Samples samples;
};

const EndedRun& skipping_run() {
  static EndedRun made;
  static const bool done = [] {
    made.outcome = run(made.run.train(overflowing("1000") + Words{"--ranks", "2", "--monitoring.push_url", gateway().url()}));
    made.samples = gateway().samples(made.run);
    return true;
  }();
  EXPECT_TRUE(done);
  return made;
}

const EndedRun& run_without_room() {
  static EndedRun made;
  static const bool done = [] {
    made.outcome = run(made.run.train(endless() + Words{"--monitoring.push_url", gateway().url()}), {.file_size_limit = 100'000});
    made.samples = gateway().samples(made.run);
    return true;
  }();
  EXPECT_TRUE(done);
  return made;
}

TEST(EveryMetric, MovesInATrainingOrInTheFaultThatItCounts) {
  std::set<std::string> seen;
  for (const auto* samples : {&continued_run().stopped, &continued_run().finished, &skipping_run().samples, &run_without_room().samples}) {
    for (const auto& name : moved(*samples)) seen.insert(name);
  }
  std::vector<std::string> still;
  for (const auto& row : metric_catalogue()) {
    if (row.place != MetricPlace::gpus && !seen.contains(std::string(row.name))) still.emplace_back(row.name);
  }
  EXPECT_THAT(still, IsEmpty()) << "never left their initial value";
}

TEST(EveryMetric, HasTheFigureOfTheLastStepInMetricsJsonl) {
  const auto& [tiny, was, stayed, stopped, samples] = continued_run();
  const auto joint = last_step(tiny, "joint_retrieval");
  for (const char* loss : {"labelled", "pool", "distillation", "discriminator"})
    EXPECT_DOUBLE_EQ(value_of(samples, fmt::format("duet_loss_{}", loss), "joint_retrieval"), joint.at("loss").at(loss).get<double>())
        << loss;
  EXPECT_DOUBLE_EQ(value_of(samples, "duet_certainty_mean"), joint.at("certainty").get<double>());
  for (const char* quantile : {"certainty_p10", "certainty_p50", "certainty_p90", "teacher_distance"})
    EXPECT_DOUBLE_EQ(value_of(samples, fmt::format("duet_{}", quantile)), joint.at(quantile).get<double>()) << quantile;
  EXPECT_DOUBLE_EQ(value_of(samples, "duet_learning_rate", "network=\"retrieval\",phase=\"joint_retrieval\""),
                   joint.at("learning_rate").get<double>());
  const auto drawn = last_step(tiny, "joint_generator");
  EXPECT_DOUBLE_EQ(value_of(samples, "duet_reward"), drawn.at("reward").get<double>());
  EXPECT_DOUBLE_EQ(value_of(samples, "duet_decode_steps"), drawn.at("drawn_steps").get<double>());
  EXPECT_DOUBLE_EQ(value_of(samples, "duet_run_steps"),
                   std::max(joint, drawn, [](const Json& a, const Json& b) { return a.at("total_step") < b.at("total_step"); })
                       .at("total_step")
                       .get<double>());
}

TEST(CertaintyQuantiles, AreInOrder) {
  const auto joint = last_step(continued_run().run, "joint_retrieval");
  EXPECT_LE(joint.at("certainty_p10"), joint.at("certainty_p50"));
  EXPECT_LE(joint.at("certainty_p50"), joint.at("certainty_p90"));
}

TEST(StopReason, SaysHowTheRunEnded) {
  EXPECT_EQ(value_of(continued_run().stopped, "duet_stop_reason"), 2);
  EXPECT_EQ(value_of(continued_run().finished, "duet_stop_reason"), 1);
  EXPECT_EQ(value_of(run_without_room().samples, "duet_stop_reason"), 3);
}

TEST(RunMetrics, CountRestartsAndRanks) {
  EXPECT_EQ(value_of(continued_run().finished, "duet_restarts"), 1);
  EXPECT_EQ(value_of(continued_run().finished, "duet_ranks"), 2);
}

TEST(ScrapeTarget, IsThereWhileTheRunIs) {
  EXPECT_TRUE(continued_run().was_a_target);
  EXPECT_FALSE(continued_run().stayed_a_target);
}

TEST(SkippedSteps, AreCountedAndLoggedWithoutANorm) {
  const auto& [tiny, outcome, samples] = skipping_run();
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("The update is skipped"));
  double null_norms = 0;
  for (const auto& line : tiny.steps()) null_norms += line.at("gradient_norm").is_null() ? 1 : 0;
  EXPECT_GT(null_norms, 0);
  EXPECT_EQ(value_of(samples, "duet_skipped_steps_total"), null_norms);
}

TEST(SkippedSteps, BeyondTheirLimitEndTheRun) {
  const auto refused = run(TinyRun().train(overflowing("2")));
  EXPECT_EQ(refused.status, 77) << refused;
}

TEST(FullDisk, EndsTheRun) { EXPECT_EQ(run_without_room().outcome.status, 74) << run_without_room().outcome; }

TEST(Push, AGatewayThatIsNotThereStopsNothing) {
  const auto outcome = run(TinyRun().train({"--joint.steps=0", "--monitoring.push_url", fmt::format("http://127.0.0.1:{}", free_port())}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("the Pushgateway cannot be reached"));
  const auto wrong = run(TinyRun().train({"--monitoring.push_url", "gateway:9091"}));
  EXPECT_EQ(wrong.status, 64) << wrong;
}

}  // namespace
}  // namespace duet
