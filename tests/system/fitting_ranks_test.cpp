#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/system/tiny_run.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Two ranks of a training, of which rank 1 is started by `other` instead of "exec PROGRAM": a line of shell.
Outcome train_with_another_rank(const TinyRun& run, const std::string& other) {
  const auto script = run.file("rank.sh");
  std::string words;
  const auto command = run.train();
  for (auto word = command.begin() + 1; word != command.end(); ++word) words += " '" + *word + "'";
  std::ofstream(script) << "#!/bin/bash\nset --" << words << "\n[ \"$OMPI_COMM_WORLD_RANK\" = 0 ] || { " << other << "; }\nexec '"
                        << command.front() << "' \"$@\"\n";
  fs::permissions(script, fs::perms::owner_all);
  return duet::run(under_mpirun(2, {script}));
}

int times(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(FittingRanks, AnotherConfigurationOnOneRankStopsAllWithOneTable) {
  const TinyRun run;
  const auto outcome = train_with_another_rank(run, "export DUET_RUN_SEED=17; set -- \"$@\" --retrieval.batch=12");
  EXPECT_EQ(outcome.status, 64) << outcome;
  EXPECT_EQ(times(outcome.error, "do not fit together"), 1) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("run.seed"), HasSubstr("17 (rank 1 on "), HasSubstr("retrieval.batch"),
                                   HasSubstr("6 (rank 0 on "), HasSubstr("12 (rank 1 on "), Not(HasSubstr("joint.labelled_batch"))));
  EXPECT_FALSE(fs::exists(run.folder() / "owner.json")) << "nobody became the run's owner";
}

TEST(FittingRanks, AnotherProgramOnOneRankStopsAll) {
  const TinyRun run;
  const auto copy = run.file("duet");
  fs::copy_file(DUET_PROGRAM, copy);
  std::ofstream(copy, std::ios::app) << "another build";
  const auto outcome = train_with_another_rank(run, "exec '" + copy.string() + "' \"$@\"");
  EXPECT_EQ(outcome.status, 64) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("program"), HasSubstr("bytes, "), HasSubstr("one installation")));
}

TEST(FittingRanks, AnotherStoreOnOneRankStopsAllThoughItsPathMayDiffer) {
  const TinyRun run;
  const auto moved = copy_store("pairs.store", run.file("elsewhere"));
  const auto same = train_with_another_rank(run, "set -- \"$@\" --data.labelled='" + moved.string() + "' --run.threads=1");
  EXPECT_EQ(same.status, 0) << same;
  const TinyRun second;
  const auto other = train_with_another_rank(second, "set -- \"$@\" --data.labelled='" + (run.file("elsewhere") / "none").string() + "'");
  EXPECT_EQ(other.status, 64) << other;
  EXPECT_THAT(other.error, AllOf(HasSubstr("content of data.labelled"), HasSubstr("generation 1, "), HasSubstr("elsewhere/none")));
}

}  // namespace
}  // namespace duet
