#include "launch/options/options.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/file.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const ConfigSources& sources) {
  try {
    resolve_config(sources);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

std::string refusal_of(const std::string& name, const std::string& text) { return refusal({.command_line = {{name, text}}}); }

// A configuration file with this content, as a source.
class Config : public testing::Test {
 protected:
  std::string file(const std::string& content) {
    std::ofstream(folder_ / "my.cfg") << content;
    return (folder_ / "my.cfg").string();
  }
  TemporaryFolder folder_;
};

TEST_F(Config, LaterSourcesWinAndOriginsAreKept) {
  const auto path = file("# mine\n[run]\nseed = 7   # lucky\nthreads = 3\n\n[joint]\npool = 0.5\n");
  const auto config =
      resolve_config({.file = path,
                      .environment = {{"DUET_RUN_THREADS", "2"}, {"DUET_JOINT_POOL", "0.25"}, {"HOME", "/"}, {"DUET_LIBTORCH", "x"}},
                      .command_line = {{"joint.pool", "0"}}});
  EXPECT_EQ(config.values.run.seed, 7U);
  EXPECT_EQ(config.values.run.threads, 2);
  EXPECT_EQ(config.values.joint.pool, 0);
  EXPECT_EQ(config.values.joint.policy, 10);
  EXPECT_EQ(config.origin.at("run.seed"), "my.cfg:3");
  EXPECT_EQ(config.origin.at("run.threads"), "DUET_RUN_THREADS");
  EXPECT_EQ(config.origin.at("joint.pool"), "command line");
  EXPECT_EQ(config.origin.at("joint.policy"), "default");
}

TEST_F(Config, PrintedConfigurationFedBackGivesTheSameValues) {
  // Every option away from its default, so that none can be forgotten on the way.
  ConfigSources sources;
  for (const auto& option : config_table()) {
    std::string text = "a path/with = signs";
    if (option.accepts.find(" | ") != std::string::npos) {
      const auto last = option.accepts.substr(option.accepts.rfind(' ') + 1), first = option.accepts.substr(0, option.accepts.find(' '));
      text = last == option.default_text ? first : last;
      if (option.name == "run.precision") text = "float64";
      if (option.name == "cluster.backend") text = "mpi";
      if (option.name == "monitoring.trace_steps") text = "3:9";
    } else if (option.name == "monitoring.push_url") {
      text = "http://gateway:9091";
    } else if (option.accepts.starts_with("whole")) {
      text = option.name == "discriminator.image_side" ? "33" : option.name == "run.seed" ? "18446744073709551615" : "77";
      if (option.name == "discriminator.layers") text = "5";
    } else if (option.accepts.starts_with("number")) {
      text = "0.012345678901234567";
    }
    sources.command_line.emplace_back(option.name, text);
  }
  const auto config = resolve_config(sources);
  const auto again = resolve_config({.file = file(print_config(config))});
  for (const auto& option : config_table()) {
    EXPECT_NE(option.get(config.values), option.default_text) << option.name;
    EXPECT_EQ(option.get(again.values), option.get(config.values)) << option.name;
    EXPECT_THAT(again.origin.at(option.name), HasSubstr("my.cfg:"));
  }
  EXPECT_THAT(print_config(config), HasSubstr("# command line"));
}

TEST_F(Config, ValuesThatAFileCannotCarryAreNotPrinted) {
  for (const char* path : {"runs/a#b", " runs/a", "runs/a\nb"}) {
    EXPECT_THROW(print_config(resolve_config({.command_line = {{"run.folder", path}}})), UsageError) << path;
  }
}

TEST_F(Config, UnknownOptionsNameTheirPlaceAndTheNearest) {
  const auto path = file("[run]\nseed = 1\n\n[retrieval]\nlerning_rate = 0.1\n");
  EXPECT_EQ(refusal({.file = path}), path + ":5: unknown option 'retrieval.lerning_rate'. Did you mean 'retrieval.learning_rate'?");
  EXPECT_THAT(refusal({.file = file("seed = 1\n")}), HasSubstr("my.cfg:1: unknown option 'seed'. Did you mean 'run.seed'?"));
  EXPECT_THAT(refusal({.environment = {{"DUET_RUN_SED", "1"}}}),
              HasSubstr("DUET_RUN_SED: there is no such option. Did you mean 'DUET_RUN_SEED'?"));
  EXPECT_THAT(refusal_of("generator.max_step", "1"), HasSubstr("Did you mean 'generator.max_steps'?"));
  EXPECT_THAT(refusal_of("joint.mixtures", "1"), HasSubstr("Did you mean 'generator.mixtures'?"));
}

TEST_F(Config, FilesMayComeFromAnotherSystemsEditor) {
  const auto config = resolve_config({.file = file("\xef\xbb\xbf[run]\r\nseed = 7\r\n\r\n# no line end at the last\r\nthreads = 3")});
  EXPECT_EQ(config.values.run.seed, 7U);
  EXPECT_EQ(config.values.run.threads, 3);
}

TEST_F(Config, FilesWithFaultsAreRefusedWithTheLine) {
  EXPECT_THAT(refusal({.file = file("[run]\nseed\n")}), HasSubstr("my.cfg:2: is neither"));
  EXPECT_THAT(refusal({.file = file("[]\n")}), HasSubstr("my.cfg:1: is neither"));
  EXPECT_THAT(refusal({.file = file("[run]\nseed = 1\nseed = 2\n")}), HasSubstr("my.cfg:3: 'run.seed' stands in line 2 already"));
  EXPECT_THAT(refusal({.file = file("[run]\nfolder = runs/a#b\n")}), HasSubstr("my.cfg:2: a '#' begins a comment"));
  EXPECT_THAT(refusal({.file = file("[run]\nseed = many\n")}),
              HasSubstr("my.cfg:2: run.seed: 'many' is not accepted; it takes: whole number"));
  EXPECT_THROW(resolve_config({.file = (folder_ / "absent.cfg").string()}), InputMissing);
  EXPECT_THROW(resolve_config({.file = folder_.path().string()}), InputMissing);
}

TEST_F(Config, ValuesAreChecked) {
  EXPECT_THAT(refusal_of("run.device", "cudda"), AllOf(HasSubstr("run.device"), HasSubstr("cpu, cuda"), HasSubstr("Did you mean 'cuda'?")));
  EXPECT_THAT(refusal_of("data.max_bad_fraction", "1.5"), HasSubstr("number from 0 to 1"));
  EXPECT_THAT(refusal_of("retrieval.average_decay", "1"), HasSubstr("number from 0 to below 1"));
  EXPECT_THAT(refusal_of("retrieval.margin", "0"), HasSubstr("number > 0"));
  for (const char* text : {"", "abc", "1e-4x", "0x10", "1,5", "nan", "inf", " 1", "1e999"}) {
    EXPECT_NE(refusal_of("retrieval.learning_rate", text), "") << text;
  }
  for (const char* text : {"", "-1", "1.5", "99999999999999999999", "1e3"}) EXPECT_NE(refusal_of("run.seed", text), "") << text;
  EXPECT_NE(refusal_of("retrieval.attention", "maybe"), "");
  EXPECT_NE(refusal_of("monitoring.port", "70000"), "");
  EXPECT_TRUE(resolve_config({.command_line = {{"generator.train_backbone", "no"}}}).values.generator.train_backbone == false);
}

TEST_F(Config, OptionsThatContradictEachOtherAreRefused) {
  EXPECT_THAT(refusal_of("run.precision", "bf16"), HasSubstr("run.device=cuda"));
  EXPECT_THAT(refusal_of("cluster.backend", "nccl"), HasSubstr("run.device=cuda"));
  EXPECT_THAT(refusal_of("discriminator.image_side", "300"), HasSubstr("data.image_side"));
  EXPECT_THAT(refusal_of("generator.learning_rate_floor", "1"), HasSubstr("generator.learning_rate"));
  EXPECT_EQ(refusal({.command_line = {{"run.precision", "bf16"}, {"run.device", "cuda"}}}), "");
  for (const char* text : {"FIRST:LAST", "5", "0:5", "9:3", "3:", ":3", "3:9x", "-3:9", "1e3:2e3"}) {
    EXPECT_THAT(refusal_of("monitoring.trace_steps", text), HasSubstr("FIRST:LAST")) << text;
  }
  EXPECT_EQ(refusal_of("monitoring.trace_steps", "7:7"), "");
}

TEST_F(Config, FingerprintSeesWhatMustStayAndNothingElse) {
  const auto before = fingerprint(TrainingConfig());
  auto moved = TrainingConfig();
  moved.run.folder = "elsewhere";
  moved.data.labelled = "/mnt/pairs.store";
  moved.data.loader_threads = 7;
  moved.checkpoint.every_steps = 5;
  moved.monitoring.port = 9400;
  EXPECT_EQ(fingerprint(moved), before);
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"run.seed", "2"}, {"retrieval.batch", "32"}, {"joint.policy", "1"}, {"generator.hidden", "64"}, {"data.flip", "no"}}) {
    EXPECT_NE(fingerprint(resolve_config({.command_line = {{name, text}}}).values), before) << name;
  }
}

TEST_F(Config, BackbonesAreTheFilesOfTheirFolder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(DUET_SOURCE_DIR) / "trainer/models/backbones"))
    files.insert(entry.path().stem());
  for (const char* name : {"retrieval.backbone", "generator.backbone"}) {
    const auto option = std::ranges::find(config_table(), name, &ConfigOption::name);
    std::set<std::string> words;
    std::istringstream accepted(option->accepts);
    for (std::string word; accepted >> word;) words.insert(word);
    words.erase("|");
    EXPECT_EQ(words, files) << name;
  }
}

TEST_F(Config, TableAgreesWithItself) {
  for (const auto& option : config_table()) {
    auto config = TrainingConfig();
    option.set(config, option.default_text);
    EXPECT_EQ(option.get(config), option.default_text) << option.name << ": its own default is not accepted";
    EXPECT_FALSE(option.help.empty()) << option.name;
  }
}

TEST_F(Config, PresetsAreFoundAndValid) {
  for (const char* preset : {"quickstart", "paper", "chairs-cpu"}) {
    const auto config = resolve_config({.file = preset});
    EXPECT_THAT(print_config(config), HasSubstr(std::string("# ") + preset + ".cfg:"));
  }
  try {
    resolve_config({.file = "quickstrat"});
    FAIL();
  } catch (const InputMissing& error) {
    EXPECT_THAT(error.what(), HasSubstr("chairs-cpu, paper, quickstart"));
  }
}

TEST_F(Config, PaperPresetIsTheMethodsDefaults) {
  const auto config = resolve_config({.file = "paper"});
  EXPECT_EQ(config.values.generator.simplify_distance, Chord::line) << "as the authors' code, at the price of ink";
  for (const auto& option : config_table()) {
    if (option.name == "generator.stroke_steps") continue;  // the stage is off by default: it needs a store of strokes
    if (option.name == "generator.simplify_distance") continue;
    EXPECT_EQ(option.get(config.values), option.default_text) << option.name;
  }
}

TEST_F(Config, CommandLineOffersEveryOption) {
  CommandLine line{.command = "train", .description = "Trains."};
  add_config_options(line);
  const auto options =
      parse(line, std::vector<std::string>{"--config", "quickstart", "--run.folder", "runs/x", "--data.pool=", "--monitoring.port", "-1"});
  const auto config = config_from(options);
  EXPECT_EQ(config.values.run.folder, "runs/x");
  EXPECT_EQ(config.values.monitoring.port, -1);
  EXPECT_EQ(config.origin.at("data.pool"), "command line");
  EXPECT_THROW(parse(line, std::vector<std::string>{"--seed", "3"}), UsageError);
  for (const auto& option : config_table()) EXPECT_THAT(help_text(line), HasSubstr("--" + option.name + " "));
}

// DUET_WRITE_PAGES=1 writes the tables instead of comparing them (CONTRIBUTING.md).
TEST_F(Config, DocumentationHasTheTableAsItIs) {
  const auto file = std::filesystem::path(DUET_SOURCE_DIR) / "docs/configuration.md";
  const auto page = read_file(file);
  const std::string heading = "## All options\n\n";
  const auto begin = page.find(heading);
  ASSERT_NE(begin, std::string::npos);
  const auto with_tables = page.substr(0, begin + heading.size()) + config_markdown();
  if (std::getenv("DUET_WRITE_PAGES") != nullptr) std::ofstream(file) << with_tables;
  EXPECT_TRUE(read_file(file) == with_tables) << "docs/configuration.md is stale; CONTRIBUTING.md has the command that writes its tables";
}

}  // namespace
}  // namespace duet
