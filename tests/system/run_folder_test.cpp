#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/host.h"
#include "tests/system/tiny_run.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

TEST(RunFolder, HasOneJobAtATime) {
  const TinyRun tiny;
  const auto supervised = tiny.train(endless() + Words{"--ranks", "2"});
  Child first(supervised);
  wait_for_steps(first, tiny, 3);
  const auto owner = fmt::format("process {} on {}", first.process_of_rank(0), host_name());
  for (const auto& second : {tiny.train(endless()), supervised, under_mpirun(2, tiny.train(endless()))}) {
    const auto outcome = run(second);
    EXPECT_EQ(outcome.status, 73) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("another job works in this run's folder: " + owner), HasSubstr(tiny.folder().string()),
                                     HasSubstr("choose another run.folder")));
  }
  // None of the three has disturbed the first. A supervisor that takes a stranger's last words for its own rank's ends all after 5 seconds.
  ASSERT_FALSE(wait_until([&] { return !first.running(); }, 7)) << first.error_so_far();
  for (const int rank : {0, 1}) {
    EXPECT_FALSE(std::filesystem::exists(tiny.folder() / "log" / fmt::format("last-words-rank-{}.json", rank))) << "of a stranger";
  }
  const auto steps = std::ssize(tiny.steps());
  EXPECT_TRUE(wait_until([&] { return std::ssize(tiny.steps()) > steps; })) << first.error_so_far();
  first.send(SIGTERM);
  const auto outcome = first.wait();
  EXPECT_EQ(outcome.status, 75) << outcome;

  Child next(supervised);
  EXPECT_TRUE(wait_until([&] { return next.error_so_far().find("continues from") != std::string::npos || !next.running(); }));
  next.send(SIGTERM);
  EXPECT_EQ(next.wait().status, 75);
}

// As when Slurm has given up a host that still works, and starts the job again elsewhere.
TEST(RunFolder, ALaterStartOfItsSlurmJobTakesItFromRanksThatStillLive) {
  const TinyRun tiny;
  const auto start = [](const std::string& restarts) {
    return ChildOptions{
        .environment = {
            {"SLURM_JOB_ID", "43"}, {"SLURM_ARRAY_JOB_ID", "41"}, {"SLURM_ARRAY_TASK_ID", "2"}, {"SLURM_RESTART_COUNT", restarts}}};
  };
  const auto command = tiny.train(endless() + Words{"--ranks", "2", "--launcher", "local"});
  Child former(command, start("0"));
  wait_for_steps(former, tiny, 12);
  Child later(command, start("1"));
  const auto outcome = former.wait(60);
  EXPECT_EQ(outcome.status, 74) << outcome;
  EXPECT_THAT(outcome.error, HasSubstr("another job owns this run's folder now"));

  const auto targets = tiny.folder() / "prometheus-targets.json";
  EXPECT_TRUE(wait_until([&] { return later.error_so_far().find("continues from") != std::string::npos; })) << later.error_so_far();
  EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(targets); })) << "the former took the later one's file with it";
  const auto steps = std::ssize(tiny.steps());
  EXPECT_TRUE(wait_until([&] { return std::ssize(tiny.steps()) > steps + 5; })) << later.error_so_far();
  EXPECT_EQ(read_json(targets).at(0).at("labels").at("job_id"), "41_2") << "as the queue shows it";
  later.send(SIGTERM);
  const auto end = later.wait();
  EXPECT_EQ(end.status, 75) << end;
  EXPECT_FALSE(std::filesystem::exists(targets));

  // Each step is there once, whoever did it.
  std::int64_t last = 0;
  for (const auto& step : tiny.steps()) {
    EXPECT_EQ(step.at("step").get<std::int64_t>(), last + 1);
    last = step.at("step").get<std::int64_t>();
  }
}

TEST(RunFolder, AFullDiskAtACheckpointLeavesTheEarlierOne) {
  const TinyRun tiny;
  const auto command = tiny.train(endless() + Words{"--ranks", "2"});
  Child program(command);
  wait_for_steps(program, tiny, 6);
  ASSERT_TRUE(wait_until([&] { return !tiny.latest().empty(); }));
  // From here on no file of rank 0 can grow beyond 100 kB, which the networks' files must.
  const rlimit limit{100'000, 100'000};
  ASSERT_EQ(::prlimit(program.process_of_rank(0), RLIMIT_FSIZE, &limit, nullptr), 0);
  const auto outcome = program.wait();
  EXPECT_THAT(outcome.status, AnyOf(73, 74)) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(tiny.checkpoints().string()), HasSubstr(".safetensors"), HasSubstr("rank 0")));
  EXPECT_TRUE(program.processes().empty());
  for (const auto& entry : std::filesystem::directory_iterator(tiny.checkpoints()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".partial")) << entry.path();

  const auto saved = tiny.latest();
  const auto inspected = run(duet({"inspect", "--brief", saved.string()}));
  EXPECT_EQ(inspected.status, 0) << inspected;
  Child again(command);
  EXPECT_TRUE(
      wait_until([&] { return again.error_so_far().find("continues from " + saved.string()) != std::string::npos || !again.running(); }));
  again.send(SIGTERM);
  EXPECT_EQ(again.wait().status, 75);
}

TEST(RunFolder, AFullDiskOnOneRankAlone) {
  const TinyRun tiny;
  const auto outcome = run(tiny.train(endless()), {.file_size_limit = 100'000});
  EXPECT_THAT(outcome.status, AnyOf(73, 74)) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(tiny.checkpoints().string()), HasSubstr(".safetensors")));
  EXPECT_TRUE(tiny.latest().empty());
}

TEST(RunFolder, OfSomebodyElseIsNotTrainedIn) {
  const TinyRun tiny;
  std::filesystem::create_directories(tiny.folder());
  write_file_atomically(tiny.folder() / "config.cfg", std::string_view("[run]\nseed = 3\n"));
  const auto outcome = run(tiny.train());
  EXPECT_EQ(outcome.status, 73) << outcome;
  EXPECT_THAT(outcome.error, AllOf(HasSubstr(tiny.folder().string()), HasSubstr("config.cfg")));
  EXPECT_EQ(read_file(tiny.folder() / "config.cfg"), "[run]\nseed = 3\n");
}

TEST(RunFolder, ATrainingWritesThroughNoLink) {
  const TinyRun tiny(finished_run());
  std::filesystem::create_directory(tiny.file("elsewhere"));
  for (const char* name : {"samples", "log"}) {
    std::filesystem::rename(tiny.folder() / name, tiny.file(name));
    std::filesystem::create_symlink(tiny.file("elsewhere"), tiny.folder() / name);
    const auto outcome = run(tiny.train());
    EXPECT_EQ(outcome.status, 73) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr((tiny.folder() / name).string()), HasSubstr("elsewhere")));
    std::filesystem::remove(tiny.folder() / name);
    std::filesystem::rename(tiny.file(name), tiny.folder() / name);
  }
  EXPECT_TRUE(std::filesystem::is_empty(tiny.file("elsewhere")));
}

TEST(RunFolder, DrawingsFallOnNoPhoto) {
  const TinyRun tiny;
  const auto photos = tiny.file("photos"), photo = photos / "chair.png", links = tiny.file("links");
  std::filesystem::create_directory(photos);
  std::filesystem::create_directory_symlink(photos, links);
  const auto pool = (stores() / "pool.store").string(), of_run = finished_run().folder().string();
  ASSERT_EQ(run(duet({"store", "show", pool, "--photo", "chair-pool-0000000000", "--out", photo.string()})).status, 0);
  const auto before = read_file(photo);
  for (const auto& out : {photos, links}) {
    const auto outcome = run(duet({"sketch", photo.string(), "--run", of_run, "--out", out.string()}));
    EXPECT_EQ(outcome.status, 73) << outcome;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr((out / "chair.png").string()), HasSubstr("which is read")));
  }
  EXPECT_EQ(read_file(photo), before);
  EXPECT_FALSE(std::filesystem::exists(photos / "chair.svg")) << "refused before anything was written";
  const auto drawings = tiny.file("drawings").string();
  for (int times = 0; times < 2; ++times)
    EXPECT_EQ(run(duet({"sketch", photo.string(), "--run", of_run, "--out", drawings})).status, 0) << "its own drawings may be replaced";
}

}  // namespace
}  // namespace duet
