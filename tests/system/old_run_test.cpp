#include <gmock/gmock.h>

#include <sstream>

#include "launch/options/options.h"
#include "tests/system/tiny_run.h"

// A run that an earlier program began (old_run/README.md) is still read, continued and used.

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A copy of the old run, and the data that it was begun on.
class OldRun : public testing::Test {
 protected:
  OldRun() {
    fs::copy(OLD_RUN, folder(), fs::copy_options::recursive);
    const auto outcome = run(duet({"synth", "--pairs", "12", "--test", "4", "--sketches", "2", "--pool", "12", "--strokes", "12", "--side",
                                   "32", "--seed", "9", "--out", data().string()}));
    EXPECT_EQ(outcome.status, 0) << outcome;
  }
  fs::path folder() const { return place_ / "run"; }
  fs::path data() const { return place_ / "data"; }

 private:
  TemporaryFolder place_;
};

std::map<std::int64_t, Json> losses_in(const fs::path& file) {
  std::map<std::int64_t, Json> losses;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const auto json = Json::parse(line);
    if (json.contains("loss")) losses[json.at("total_step").get<std::int64_t>()] = json.at("loss");
  }
  return losses;
}

TEST_F(OldRun, ConfigurationMeansWhatItMeant) {
  std::map<std::string, std::string> now;
  for (const auto& [option, text] : fingerprint(resolve_config({.file = (folder() / "config.cfg").string()}).values)) now[option] = text;
  const auto then = read_json(folder() / "checkpoints/step-00000004/manifest.json").at("configuration");
  ASSERT_GT(then.size(), 50U);
  for (const auto& [option, text] : then.items()) EXPECT_EQ(now[option], text) << option;
}

TEST_F(OldRun, GoesOnAsTheProgramThatBeganItDid) {
  const auto outcome = run(duet({"train", "--config", (folder() / "config.cfg").string(), "--run.folder", folder().string(),
                                 "--data.labelled", (data() / "pairs.store").string(), "--data.pool", (data() / "pool.store").string(),
                                 "--data.strokes", (data() / "strokes.store").string()}));
  ASSERT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("(4 steps done)"));
  const auto expected = losses_in(folder() / "expected.jsonl"), found = losses_in(folder() / "metrics.jsonl");
  ASSERT_EQ(expected.size(), 11U);
  ASSERT_EQ(found.size(), expected.size());
  // On the processor that the file is from they are equal bit for bit; others round differently.
  for (const auto& [step, losses] : expected) {
    ASSERT_EQ(found.at(step).size(), losses.size()) << "step " << step;
    for (const auto& [name, loss] : losses.items())
      EXPECT_NEAR(found.at(step).at(name).get<double>(), loss.get<double>(), 1e-4) << name << " of step " << step;
  }
}

TEST_F(OldRun, RetrievalNetworkIsMeasured) {
  const auto outcome = run(duet({"eval", "--run", folder().string(), "--store", (data() / "pairs.store").string(), "--json"}));
  ASSERT_EQ(outcome.status, 0) << outcome;
  const auto figures = Json::parse(outcome.out);
  EXPECT_EQ(figures.at("queries"), 8);
  EXPECT_EQ(figures.at("gallery"), 4);
}

TEST_F(OldRun, GeneratorDraws) {
  const auto photo = (folder() / "photo.png").string(), drawings = (folder() / "drawings").string();
  const auto shown = run(duet({"store", "show", (data() / "pool.store").string(), "--photo", "chair-pool-0000000000", "--out", photo}));
  ASSERT_EQ(shown.status, 0) << shown;
  const auto outcome = run(duet({"sketch", photo, "--run", folder().string(), "--out", drawings}));
  ASSERT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(read_file(fs::path(drawings) / "photo.svg"), HasSubstr("<svg"));
}

}  // namespace
}  // namespace duet
