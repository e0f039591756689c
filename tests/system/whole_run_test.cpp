#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/checksum.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Checksums: whole files would make a failure unreadable.
std::map<std::string, std::string> weights_in(const fs::path& checkpoint) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    if (entry.path().extension() == ".safetensors") files[entry.path().filename()] = to_hex(checksum_of_file(entry.path()));
  }
  return files;
}

TEST(WholeRun, LeavesWhatItPromises) {
  const auto& run = finished_run();
  for (const char* file : {"config.cfg", "environment.json", "metrics.jsonl", "results.json", "report.html", "log/rank-0.jsonl",
                           "log/rank-1.jsonl", "checkpoints/latest"}) {
    EXPECT_TRUE(fs::is_regular_file(run.folder() / file)) << file;
  }
  EXPECT_EQ(read_file(run.checkpoints() / "latest"), "step-00000030\n");
  for (const char* network : {"retrieval", "retrieval-average", "retrieval-best", "generator", "discriminator"}) {
    EXPECT_TRUE(fs::is_regular_file(run.latest() / (std::string(network) + ".safetensors"))) << network;
  }
  const auto environment = read_json(run.folder() / "environment.json");
  EXPECT_EQ(environment.at("ranks"), 2);
  EXPECT_EQ(environment.at("hosts").size(), 2U);
  EXPECT_TRUE(environment.at("versions").contains("LibTorch"));
  EXPECT_THAT(environment.at("data").at("pool").at("state").get<std::string>(), HasSubstr("generation 1"));
  for (int rank = 0; rank < 2; ++rank) EXPECT_EQ(run.log(rank).back().value("event", ""), "end") << rank;
}

TEST(WholeRun, LogsEachStageWithItsLosses) {
  std::map<std::string, std::int64_t> last;
  std::set<std::string> losses;
  double time = 0;
  for (const auto& line : finished_run().steps()) {
    const auto stage = line.at("stage").get<std::string>();
    last[stage] = line.at("step").get<std::int64_t>();
    ASSERT_TRUE(line.at("loss").is_object()) << line;
    for (const auto& [name, value] : line.at("loss").items()) {
      EXPECT_TRUE(value.is_number()) << line;
      losses.insert(stage + "/" + name);
    }
    EXPECT_GE(line.at("time").get<double>(), time);
    time = line.at("time");
  }
  EXPECT_THAT(last, ElementsAre(std::pair("joint", 6), std::pair("pairs", 6), std::pair("retrieval", 8), std::pair("strokes", 4),
                                std::pair("warmup", 2)));
  for (const char* loss : {"strokes/reconstruction", "strokes/divergence", "pairs/total", "retrieval/total", "joint/labelled", "joint/pool",
                           "joint/distillation", "joint/reconstruction"})
    EXPECT_THAT(losses, Contains(loss));
}

TEST(WholeRun, ResultsCarryTheirCounts) {
  const auto results = read_json(finished_run().folder() / "results.json");
  for (const char* stage : {"initial", "supervised", "joint"}) {
    const auto& validation = results.at(stage).at("validation").at("last");
    EXPECT_EQ(validation.at("queries"), 16);
    EXPECT_EQ(validation.at("gallery"), 8);
    EXPECT_EQ(results.at(stage).at("test").at("average").at("gallery"), 8) << stage;
  }
  EXPECT_TRUE(results.at("joint").at("test").contains("best"));
  EXPECT_EQ(results.at("generator").at("joint").at("gallery"), 8);
}

TEST(WholeRun, TheReportNeedsNoNetwork) {
  const auto report = read_file(finished_run().folder() / "report.html");
  EXPECT_THAT(report, HasSubstr("</html>"));
  for (const char* reference : {"src=\"http", "href=\"http", "url(http", "@import", "src=\"//", "<link", "<iframe"})
    EXPECT_THAT(report, Not(HasSubstr(reference)));
  EXPECT_THAT(report, testing::AllOf(HasSubstr("data:image/"), HasSubstr("<svg"), HasSubstr("supervised"), HasSubstr("LibTorch")));
}

TEST(WholeRun, PseudoSketchesOfEveryStageAreKeptAsPictures) {
  std::set<std::string> stages;
  for (const auto& entry : fs::directory_iterator(finished_run().folder() / "samples")) {
    const auto name = entry.path().filename().string();
    EXPECT_EQ(entry.path().extension(), ".svg");
    EXPECT_THAT(read_file(entry.path()), HasSubstr("<svg"));
    stages.insert(name.substr(0, name.find('-')));
  }
  EXPECT_THAT(stages, ElementsAre("joint", "pairs", "strokes"));
}

TEST(WholeRun, TheSameCommandAgainChangesNothing) {
  const TinyRun again(finished_run());
  const auto before = weights_in(again.latest());
  const auto metrics = read_file(again.folder() / "metrics.jsonl"), results = read_file(again.folder() / "results.json");
  const auto outcome = run(again.train({"--ranks", "2"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("30 steps done"));
  EXPECT_EQ(again.latest().filename(), "step-00000030");
  EXPECT_EQ(weights_in(again.latest()), before);
  EXPECT_EQ(read_file(again.folder() / "metrics.jsonl"), metrics);
  EXPECT_EQ(read_file(again.folder() / "results.json"), results);
}

TEST(WholeRun, RanksUnderMpirunDoTheSame) {
  const TinyRun launched;
  const auto outcome = run(under_mpirun(2, launched.train()));
  ASSERT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(weights_in(launched.latest()), weights_in(finished_run().latest()));
  EXPECT_TRUE(fs::exists(launched.folder() / "report.html"));
}

TEST(WholeRun, AFinishedRunGoesOnWhenMoreJointStepsAreAsked) {
  const TinyRun more(finished_run());
  const auto outcome = run(more.train({"--ranks", "2", "--joint.steps=9"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(more.steps().back().at("step"), 9);
  EXPECT_EQ(more.latest().filename(), "step-00000035");
}

TEST(WholeRun, ItsOwnConfigurationFileGivesTheSameConfiguration) {
  const auto printed = [](const Words& command) {
    const auto outcome = run(command + Words{"--print-config"});
    EXPECT_EQ(outcome.status, 0) << outcome;
    std::string values;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) values += line.substr(0, line.find(" #")) + "\n";  // without where from
    return values;
  };
  const auto& finished = finished_run();
  EXPECT_EQ(printed(duet({"train", "--config", (finished.folder() / "config.cfg").string()})), printed(finished.train()));
}

}  // namespace
}  // namespace duet
