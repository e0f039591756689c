#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/system/tiny_run.h"

// What is refused before anything is trained: the status follows the kind of fault, the message names its subject and the way out.

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The program ends with `status`, and what it says fits.
void expect_refusal(const Words& command, int status, const testing::Matcher<std::string>& says) {
  const auto outcome = run(command);
  EXPECT_EQ(outcome.status, status) << outcome;
  EXPECT_THAT(outcome.error, says) << fmt::format("{}", fmt::join(command, " "));
}

TEST(Refusals, NamesThatAreAlmostRightComeWithTheNearest) {
  expect_refusal(duet({"trian"}), 64, AllOf(HasSubstr("'trian'"), HasSubstr("Did you mean 'train'?")));
  expect_refusal(duet({"store", "verfy"}), 64, HasSubstr("Did you mean 'verify'?"));
  expect_refusal(duet({"train", "--retrieval.stepps", "3"}), 64, HasSubstr("Did you mean '--retrieval.steps'?"));
  expect_refusal(duet({"train", "--seed", "3"}), 64, HasSubstr("Did you mean '--run.seed'?"));
  expect_refusal(duet({"train", "--rank", "2"}), 64, HasSubstr("Did you mean '--ranks'?"));
  expect_refusal(duet({"train", "--config", "quikstart"}), 66, AllOf(HasSubstr("quikstart"), HasSubstr("quickstart")));
}

TEST(Refusals, ValuesComeWithWhatTheOptionTakes) {
  const TinyRun tiny;
  expect_refusal(tiny.train({"--retrieval.batch=many"}), 64,
                 AllOf(HasSubstr("command line: retrieval.batch"), HasSubstr("'many'"), HasSubstr("whole number ≥ 2")));
  expect_refusal(tiny.train({"--retrieval.objective=infonec"}), 64, HasSubstr("Did you mean 'infonce'?"));
  expect_refusal(tiny.train({"--ranks", "0"}), 64, HasSubstr("--ranks 0: takes 1 … 4096"));
  expect_refusal(tiny.train({"--run.device=gpu"}), 64, HasSubstr("not one of cpu, cuda"));
  const auto outcome = run(tiny.train({"--print-config"}), {.environment = {{"DUET_RETRIEVAL_BATCH", "1.5"}}});
  EXPECT_EQ(outcome.status, 64) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("DUET_RETRIEVAL_BATCH: retrieval.batch: '1.5'"));
}

TEST(Refusals, BatchesThatRanksCannotShareComeWithTheNumbers) {
  const TinyRun tiny;
  const auto says = HasSubstr("retrieval.batch = 6 cannot be shared equally by 4 ranks");
  expect_refusal(tiny.train({"--ranks", "4"}), 64, says);
  expect_refusal(tiny.train({"--ranks", "4", "--dry-run"}), 64, says);
  expect_refusal(under_mpirun(4, tiny.train()), 64, says);
  EXPECT_FALSE(std::filesystem::exists(tiny.checkpoints()));
}

TEST(Refusals, ARunNeedsAFolderThatCanBeMade) {
  const TinyRun tiny;
  auto command = tiny.train();
  const auto place = std::find(command.begin(), command.end(), "--run.folder");
  command.erase(place, place + 2);
  expect_refusal(command, 64, HasSubstr("--run.folder is needed"));
  const auto inside_a_file = tiny.file("tiny.cfg") / "run";
  for (const auto& ranks : {Words(), Words{"--ranks", "2"}}) {
    expect_refusal(command + Words{"--run.folder", inside_a_file.string()} + ranks, 73,
                   AllOf(HasSubstr(inside_a_file.string()), HasSubstr("cannot be made")));
  }
}

TEST(Refusals, StoresThatAreMissingOrOfAnotherKind) {
  const TinyRun tiny;
  const auto absent = tiny.file("absent.store").string();
  for (const auto& ranks : {Words(), Words{"--ranks", "2"}}) {
    expect_refusal(tiny.train({"--data.labelled", absent}) + ranks, 66, AllOf(HasSubstr(absent), HasSubstr("`duet synth`")));
    expect_refusal(tiny.train({"--data.labelled", (stores() / "pool.store").string()}) + ranks, 64,
                   AllOf(HasSubstr("data.labelled"), HasSubstr("store of kind 'pool'"), HasSubstr("it takes: pairs")));
  }
  expect_refusal(tiny.train({"--data.pool", (stores() / "strokes.store").string()}), 64,
                 AllOf(HasSubstr("data.pool"), HasSubstr("kind 'strokes'"), HasSubstr("it takes: pool, pairs")));
  expect_refusal(tiny.train({"--data.strokes="}), 64, HasSubstr("--data.strokes names no store"));
  expect_refusal(tiny.train({"--data.pool="}), 64, HasSubstr("--data.pool names no store"));
  expect_refusal(duet({"eval", "--run", absent}), 66, HasSubstr("there is no such run"));
}

TEST(Refusals, SketchesThatAreAllTooLongSayWhichLimitTheyExceed) {
  const TinyRun tiny;
  expect_refusal(tiny.train({"--generator.max_steps=3"}), 65, AllOf(HasSubstr("strokes.store"), HasSubstr("more than 3 steps")));
}

TEST(Refusals, RanksAreNotStartedTwice) {
  const TinyRun tiny;
  expect_refusal(under_mpirun(2, tiny.train({"--ranks", "2"})), 64,
                 AllOf(HasSubstr("--ranks 2 inside mpirun or srun"), HasSubstr("leave --ranks out")));
}

TEST(Refusals, ADryRunPlansAndMakesNothing) {
  const TinyRun tiny;
  const auto outcome = run(tiny.train({"--dry-run", "--ranks", "2"}));
  ASSERT_EQ(outcome.status, 0) << outcome;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("on 2 ranks"), HasSubstr("16 photos, 32 sketches"), HasSubstr("8 steps of 6"),
                                 HasSubstr("million weights"), HasSubstr("free on")));
  EXPECT_FALSE(std::filesystem::exists(tiny.folder()));
  EXPECT_THAT(outcome.out, HasSubstr("2 of 2 can listen on 127.0.0.1"));
  expect_refusal(tiny.train({"--dry-run", "--retrieval.initial", tiny.file("absent.safetensors").string()}), 66,
                 AllOf(HasSubstr("retrieval.initial"), HasSubstr("absent.safetensors")));
}

}  // namespace
}  // namespace duet
