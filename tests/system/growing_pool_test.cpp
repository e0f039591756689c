#include <gmock/gmock.h>
#include <signal.h>

#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::HasSubstr;

/// Photos of another seed as files, so that a pool can be appended to.
std::filesystem::path more_photos(const TinyRun& tiny) {
  const auto stored = run(
      duet({"synth", "--pairs", "0", "--test", "0", "--pool", "6", "--side", "64", "--seed", "77", "--out", tiny.file("more").string()}));
  EXPECT_EQ(stored.status, 0) << stored;
  const auto folder = tiny.file("photos");
  std::filesystem::create_directories(folder);
  const auto store = (tiny.file("more") / "pool.store").string();
  for (int photo = 0; photo < 6; ++photo) {
    const auto written = run(duet({"store", "show", store, "--photo", fmt::format("chair-pool-{:010}", photo), "--out",
                                   (folder / fmt::format("new-{}.png", photo)).string()}));
    EXPECT_EQ(written.status, 0) << written;
  }
  return folder;
}

TEST(GrowingPool, IsAdoptedByAllRanksAndSurvivesAResume) {
  const TinyRun tiny;
  const auto pool = copy_store("pool.store", tiny.file("data"));
  const auto photos = more_photos(tiny);
  const auto command = tiny.train({"--ranks", "2", "--data.pool", pool.string(), "--generator.stroke_steps=0", "--generator.pair_steps=0",
                                   "--retrieval.steps=2", "--joint.steps=1000000", "--run.evaluate_every=0", "--run.samples_every=0",
                                   "--monitoring.trace_steps=1:1000000"});
  Child program(command);
  wait_for_steps(program, tiny, 8);
  const auto appended = run(duet({"import", "photos", photos.string(), "--out", pool.string(), "--append"}));
  ASSERT_EQ(appended.status, 0) << appended;
  const auto adopted = [&] { return program.error_so_far().find("pool generation 2 adopted") != std::string::npos; };
  ASSERT_TRUE(wait_until([&] { return adopted() || !program.running(); })) << program.error_so_far();
  const auto steps = std::ssize(tiny.steps());
  EXPECT_TRUE(wait_until([&] { return std::ssize(tiny.steps()) > steps + 8 || !program.running(); })) << "no step after it";
  program.send(SIGTERM);
  const auto outcome = program.wait();
  ASSERT_EQ(outcome.status, 75) << outcome;
  EXPECT_THAT(read_file(tiny.folder() / "log" / "trace-rank-1.json"), HasSubstr("\"name\":\"adopt generation\""));
  EXPECT_THAT(outcome.error, HasSubstr("pool generation 2 adopted"));
  EXPECT_EQ(read_json(tiny.latest() / "progress.json").at("stores").at("pool").at("generation"), 2);

  Child again(command);
  wait_for_steps(again, tiny, std::ssize(tiny.steps()) + 4);
  again.send(SIGTERM);
  const auto resumed = again.wait();
  EXPECT_EQ(resumed.status, 75) << resumed;
  EXPECT_THAT(resumed.error, testing::Not(HasSubstr("adopted"))) << "it stands in that generation already";
}

/// A generation that is damaged must not take a running training with it; the next whole one is adopted.
TEST(GrowingPool, ADamagedGenerationIsPassedOver) {
  const TinyRun tiny;
  const auto pool = copy_store("pool.store", tiny.file("data"));
  const auto photos = more_photos(tiny);
  const auto command = tiny.train({"--ranks", "2", "--data.pool", pool.string(), "--generator.stroke_steps=0", "--generator.pair_steps=0",
                                   "--retrieval.steps=2", "--joint.steps=1000000", "--run.evaluate_every=0", "--run.samples_every=0"});
  Child program(command);
  wait_for_steps(program, tiny, 4);
  const auto pointer = [&](const std::string& generation) {
    write_file_atomically(pool / "manifest.json",
                          std::string_view(R"({"format": "duet-store", "version": 1, "generation": )" + generation + "}"));
  };
  const auto says = [&](const char* words) {
    return wait_until([&] { return program.error_so_far().find(words) != std::string::npos || !program.running(); }) && program.running();
  };
  const auto goes_on = [&] {
    const auto steps = std::ssize(tiny.steps());
    return wait_until([&] { return std::ssize(tiny.steps()) > steps + 4 || !program.running(); }) && program.running();
  };
  write_file_atomically(pool / "manifests" / "00000002.json", std::string_view(std::string(100'000, '[')));
  pointer("2");
  ASSERT_TRUE(says("pool generation 2 is not adopted")) << program.error_so_far();
  EXPECT_TRUE(goes_on()) << program.error_so_far();
  pointer(std::string(30'000, '['));
  ASSERT_TRUE(says("manifest.json: its JSON is nested")) << program.error_so_far();
  EXPECT_TRUE(goes_on()) << program.error_so_far();

  pointer("1");
  const auto appended = run(duet({"import", "photos", photos.string(), "--out", pool.string(), "--append"}));
  ASSERT_EQ(appended.status, 0) << appended;
  program.send(SIGTERM);
  EXPECT_EQ(program.wait().status, 75);
  EXPECT_EQ(read_json(tiny.latest() / "progress.json").at("stores").at("pool").at("generation"), 1);

  Child again(command);
  ASSERT_TRUE(wait_until([&] { return again.error_so_far().find("pool generation 2 adopted") != std::string::npos || !again.running(); }));
  EXPECT_TRUE(again.running()) << again.error_so_far();
  again.send(SIGTERM);
  again.wait();
}

}  // namespace
}  // namespace duet
