#include <gmock/gmock.h>

#include "tests/system/tiny_run.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

TEST(Checkpoints, ADamagedOneIsPassedOverForTheOneBefore) {
  const TinyRun tiny(finished_run());
  const auto damaged = tiny.latest() / "generator.safetensors";
  const auto straight = read_file(damaged);
  flip_bit(damaged, straight.size() / 2);
  const auto outcome = run(tiny.train({"--ranks", "2"}));
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr(damaged.string() + ": checksum differs"), HasSubstr("continues from"), HasSubstr("step-00000025")));
  EXPECT_TRUE(read_file(damaged) == straight) << "the steps done again lead elsewhere";
}

TEST(Checkpoints, OneThatWasCutOrIsMissingIsPassedOverToo) {
  const TinyRun tiny(finished_run());
  fs::resize_file(tiny.latest() / "retrieval.safetensors", 1000);
  const auto inspected = run(duet({"inspect", "--brief", tiny.folder().string()}));
  EXPECT_EQ(inspected.status, 0) << inspected;
  EXPECT_THAT(inspected.out, AllOf(HasSubstr("passed over: "), HasSubstr("has 1000 bytes instead of"), HasSubstr("step-00000025")));
  fs::remove_all(tiny.latest());
  const auto outcome = run(tiny.train());
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr("named by 'latest' but is not there"), HasSubstr("continues from"), HasSubstr("step-00000025")));
}

TEST(Checkpoints, WhenAllAreDamagedNothingIsBegunAnew) {
  const TinyRun tiny(finished_run());
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(tiny.checkpoints())) {
    if (!entry.is_directory()) continue;
    files.push_back((entry.path() / "retrieval.safetensors").string());
    flip_bit(files.back(), 5000);
  }
  ASSERT_GE(files.size(), 2U);
  for (const auto& command : {tiny.train(), tiny.train({"--ranks", "2"}), duet({"eval", "--run", tiny.folder().string()})}) {
    const auto outcome = run(command);
    EXPECT_EQ(outcome.status, 65) << outcome;
    EXPECT_THAT(outcome.error, HasSubstr("none of the checkpoints can be used"));
    for (const auto& file : files) EXPECT_THAT(outcome.error, HasSubstr(file + ": checksum differs"));
  }
}

TEST(Checkpoints, ThoseOfAnotherConfigurationAreRefusedWithBothValues) {
  const TinyRun tiny(finished_run());
  const auto begun_as = read_file(tiny.folder() / "config.cfg");
  for (const auto& ranks : {Words(), Words{"--ranks", "2"}, Words{"--dry-run"}}) {
    const auto outcome = run(tiny.train({"--retrieval.batch=4", "--joint.certainty=0.5"}) + ranks);
    EXPECT_EQ(outcome.status, 64) << outcome;
    EXPECT_THAT(outcome.error,
                AllOf(HasSubstr("another configuration"), HasSubstr("retrieval.batch: \"6\" in the checkpoint, \"4\" now"),
                      HasSubstr("joint.certainty: \"1\" in the checkpoint, \"0.5\" now"), HasSubstr("another --run.folder")));
  }
  EXPECT_EQ(tiny.latest().filename(), "step-00000030");
  EXPECT_EQ(read_file(tiny.folder() / "config.cfg"), begun_as);
}

}  // namespace
}  // namespace duet
