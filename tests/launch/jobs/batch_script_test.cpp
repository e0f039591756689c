#include "launch/jobs/batch_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "launch/jobs/captured_program.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kScript = R"(#!/usr/bin/env bash
# Trains.
#SBATCH --job-name=duet
#SBATCH --nodes=1
#SBATCH --requeue

# --- settings
program=duet
arguments=(--config quickstart)
# --- end of settings
program=never
printf '%s\n' "$program" "${arguments[@]}"
)";

BatchScript script() { return BatchScript(kScript, "test.sbatch"); }

// What bash makes of the script.
std::string ran(const BatchScript& script) {
  const TemporaryFolder folder;
  auto text = script.text();
  text.erase(text.find("program=never\n"), 14);
  std::ofstream(folder / "s") << text;
  return run_captured({"bash", (folder / "s").string()}, 30).out;
}

TEST(BatchScript, ReplacesOptionsInPlaceAndAddsOthersBehindTheLast) {
  auto changed = script();
  changed.set_option("nodes", "4");
  changed.set_option("partition", "gpu");
  changed.set_option("exclusive", "");
  EXPECT_THAT(changed.text(),
              AllOf(HasSubstr("duet\n#SBATCH --nodes=4\n#SBATCH --requeue\n#SBATCH --partition=gpu\n#SBATCH --exclusive\n\n"),
                    Not(HasSubstr("--nodes=1"))));
}

TEST(BatchScript, TakesOptionsAsTheUserOfSbatchWritesThem) {
  auto changed = script();
  changed.add_options("--mem=64G  --exclusive --nodes=3");
  EXPECT_THAT(changed.text(),
              AllOf(HasSubstr("#SBATCH --mem=64G\n#SBATCH --exclusive\n"), HasSubstr("--nodes=3"), Not(HasSubstr("--nodes=1"))));
  EXPECT_THROW(changed.add_options("mem=64G"), UsageError);
  EXPECT_THROW(changed.add_options("--mem=1G\nrm -rf /"), UsageError);
}

TEST(BatchScript, RefusesWhatALineOfOptionsCannotHold) {
  auto changed = script();
  EXPECT_THROW(changed.set_option("job-name", "a\n#SBATCH --uid=0"), UsageError);
  EXPECT_THROW(changed.set_option("job-name", "a\"b"), UsageError);
  changed.set_option("job-name", "two words # and more");
  EXPECT_THAT(changed.text(), HasSubstr("--job-name=\"two words # and more\"\n"));
}

TEST(BatchScript, ChangesSettingsOnlyAndLeavesTheRest) {
  auto changed = script();
  changed.set("program", "/opt/duet");
  EXPECT_THAT(changed.text(), AllOf(HasSubstr("# --- settings\nprogram=/opt/duet\n"), HasSubstr("program=never")));
  EXPECT_THROW(changed.set("absent", "x"), InternalError);
  EXPECT_THROW(changed.set("printf", "x"), InternalError);
  EXPECT_EQ(script().text(), kScript) << "without a change it is the shipped one";
  EXPECT_THROW(BatchScript("#!/bin/bash\necho\n", "other.sbatch"), DataError);
}

TEST(BatchScript, CarriesEveryValueThroughTheShellUnchanged) {
  const std::vector<std::string> values = {"",
                                           "plain",
                                           "two words",
                                           "it's",
                                           "$(touch /tmp/duet-was-here) `id` ${HOME} \\ \"quoted\"",
                                           "--name='a b'; exit 3",
                                           "*",
                                           "~",
                                           "#no comment",
                                           "a=b",
                                           "--run.folder=/x/é ü",
                                           "!history",
                                           "-n"};
  for (const auto& value : values) {
    auto changed = script();
    changed.set("program", value);
    changed.set_list("arguments", {value, "next"});
    EXPECT_EQ(ran(changed), value + "\n" + value + "\nnext\n");
  }
}

}  // namespace
}  // namespace duet
