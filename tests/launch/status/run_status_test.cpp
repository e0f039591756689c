#include "launch/status/run_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/host.h"
#include "base/time.h"
#include "cluster/run/run_lock.h"
#include "launch/jobs/submitted_job.h"
#include "launch/options/options.h"
#include "launch/status/run_status_text.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A run's folder, as a training leaves it, and a squeue that answers as told.
class RunStatusOfAFolder : public testing::Test {
 protected:
  RunStatusOfAFolder() {
    fs::create_directories(run / "log");
    fs::create_directories(bin);
    path_ = std::getenv("PATH");
    ::setenv("PATH", (bin.string() + ":" + path_).c_str(), 1);
    queue_says("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  }
  ~RunStatusOfAFolder() override { ::setenv("PATH", path_.c_str(), 1); }

  void queue_says(const std::string& script) const {
    std::ofstream(bin / "squeue") << "#!/bin/sh\n" << script << "\n";
    fs::permissions(bin / "squeue", fs::perms::owner_all);
  }
  void configure(int retrieval_steps) const {
    std::ofstream(run / "config.cfg") << "[retrieval]\nsteps = " << retrieval_steps
                                      << "\n[generator]\npair_steps = 0\n[joint]\nsteps = 0\n";
    std::ofstream(run / "environment.json") << R"({"started": "2026-01-01T00:00:00Z", "ranks": 2, "hosts": ["n1 cpu", "n1 cpu"]})";
  }
  void owner(bool released, const std::string& since, int token = 1, const std::string& host = "gone") const {
    const Json json{{"host", host}, {"pid", 1}, {"since", since}, {"token", token}, {"released", released}};
    write_file_atomically(run / "owner.json", json.dump());
  }
  void says(int rank, ExitStatus status, const std::string& message, bool secondary = false, double time = unix_seconds(),
            double started = 0) const {
    const Json json{{"rank", rank},       {"status", static_cast<int>(status)},
                    {"message", message}, {"secondary", secondary},
                    {"job", ""},          {"started", started},
                    {"time", time}};
    write_file_atomically(run / "log" / fmt::format("last-words-rank-{}.json", rank), json.dump());
  }
  // Ten steps a second up to `steps`, the last one now; a hundred a second before the last `slow_seconds`.
  void steps(int steps, double slow_seconds = 1e9) const {
    std::ofstream out(run / "metrics.jsonl");
    for (int step = 1; step <= steps; ++step) {
      const double ago = 0.1 * (steps - step);
      out << Json{{"stage", "retrieval"},
                  {"phase", "retrieval_fit"},
                  {"step", step},
                  {"total_step", step},
                  {"loss", {{"total", 1.0 / step}}},
                  {"step_seconds", 0.05},
                  {"time", unix_seconds() - std::min(ago, slow_seconds + (ago - slow_seconds) / 10)}}
                 .dump()
          << "\n";
    }
  }

  TemporaryFolder folder_;
  const fs::path run = folder_ / "run";
  const fs::path bin = folder_ / "bin";
  std::string path_;
};

TEST_F(RunStatusOfAFolder, ThatIsNoRunIsAnErrorThatNamesIt) {
  fs::create_directories(folder_ / "photos");
  for (const char* name : {"photos", "nowhere"}) {
    try {
      read_run_status(folder_ / name);
      ADD_FAILURE() << name;
    } catch (const InputMissing& error) {
      EXPECT_THAT(error.what(), HasSubstr((folder_ / name).string()));
    }
  }
}

TEST_F(RunStatusOfAFolder, ThatRunsTellsProgressRateAndTimeLeft) {
  configure(1000);
  const RunLock lock(run);
  owner(false, "2026-01-01T00:00:00Z");
  steps(250);
  std::ofstream(run / "prometheus-targets.json") << R"([{"targets": ["n0:9400"], "labels": {"host": "n0"}},
      {"targets": ["n1:9401", "n1:9402"], "labels": {"host": "n1"}}])";
  const auto status = read_run_status(run);
  EXPECT_EQ(status.phase, RunPhase::running);
  EXPECT_EQ(status.endpoint, "http://n1:9401") << "of rank 0";
  EXPECT_EQ(status.stage, "retrieval");
  EXPECT_EQ(status.step, 250);
  EXPECT_EQ(status.stage_steps, 1000);
  EXPECT_EQ(status.total_steps, 1000);
  EXPECT_NEAR(status.steps_per_second, 10, 0.2);
  EXPECT_GT(status.seconds_left, 0);
  EXPECT_THAT(describe(status), AllOf(HasSubstr("running, 2 ranks on n1"), HasSubstr("[########"), HasSubstr("25 %, 250 of 1000 steps"),
                                      HasSubstr("total 0.004"), HasSubstr("left at this rate")));
}

TEST_F(RunStatusOfAFolder, ThatIsContinuedOnRanksThatDoNotFitTogetherWasRefused) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  steps(250);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::usage, "the ranks differ", false, unix_seconds() + 2, unix_seconds() + 1);
  EXPECT_EQ(read_run_status(run).phase, RunPhase::refused) << "the steps were done by an earlier start";
}

TEST_F(RunStatusOfAFolder, MeasuresItsRateOverTheLastTwoMinutes) {
  configure(5000);
  owner(false, "2026-01-01T00:00:00Z");
  steps(3000, 150);
  EXPECT_NEAR(read_run_status(run).steps_per_second, 10, 0.2);
}

TEST_F(RunStatusOfAFolder, OfAHugeLogReadsOnlyItsEnd) {
  configure(1000);
  steps(20);
  const auto end = read_file(run / "metrics.jsonl");
  {
    std::ofstream out(run / "metrics.jsonl", std::ios::trunc);
    out << "{\"stage\":\"retrieval\"}\n";
    out.seekp(std::int64_t{20} << 30);  // a hole: it takes no room on the disk
    out << "\n" << end;
  }
  owner(true, "2026-01-01T00:00:00Z");
  const Stopwatch clock;
  EXPECT_EQ(read_run_status(run).step, 20);
  EXPECT_LT(clock.seconds(), 5) << "20 GiB were read";
}

TEST_F(RunStatusOfAFolder, ThatFinishedIsAtItsEnd) {
  configure(20);
  owner(true, "2026-01-01T00:00:00Z", 3);
  steps(20);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::done, "");
  std::ofstream(run / "report.html") << "report";
  const auto text = describe(read_run_status(run));
  EXPECT_THAT(text, AllOf(HasSubstr("finished"), HasSubstr("100 %, 20 of 20 steps"), HasSubstr("restarts    2"), HasSubstr("report.html"),
                          Not(HasSubstr("left at this rate"))));
}

TEST_F(RunStatusOfAFolder, ThatFailedRepeatsTheLastWordsOfTheRankThatDid) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  steps(7);
  says(0, ExitStatus::rank_lost, "left because another rank had ended", true);
  says(1, ExitStatus::numerical, "retrieval: the loss is not finite at step 7.");
  const auto status = read_run_status(run);
  EXPECT_EQ(status.phase, RunPhase::failed);
  const auto text = describe(status);
  EXPECT_THAT(text, AllOf(HasSubstr("rank 1, status 77: retrieval: the loss is not finite"), Not(HasSubstr("another rank had ended"))));
  EXPECT_EQ(to_json(status)["last_words"][0]["rank"], 1);
}

TEST_F(RunStatusOfAFolder, WithARankThatSaidNothingIsLostAndNamesIt) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  steps(7);
  says(0, ExitStatus::rank_lost, "left because another rank had ended", true);
  const auto status = read_run_status(run);
  EXPECT_EQ(status.phase, RunPhase::lost);
  EXPECT_THAT(status.silent_ranks, ElementsAre(1));
  EXPECT_THAT(describe(status), HasSubstr("no last words of rank 1"));
}

TEST_F(RunStatusOfAFolder, TakesNoLastWordsOfAnEarlierStart) {
  configure(1000);
  steps(7);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::interrupted, "saved", false, unix_seconds() - 1000);
  const auto since = std::time(nullptr) - 500;
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&since));
  owner(false, text, 2, [] {
    char host[256];
    ::gethostname(host, sizeof host);
    return std::string(host);
  }());
  EXPECT_EQ(read_run_status(run).phase, RunPhase::lost);
  owner(true, "2026-01-01T00:00:00Z");
  EXPECT_EQ(read_run_status(run).phase, RunPhase::interrupted);
}

TEST_F(RunStatusOfAFolder, ThatFinishedStaysFinishedWhenTheClockWasAheadAtItsBeginning) {
  configure(20);
  steps(20);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::done, "", false, unix_seconds(), unix_seconds() + 1e9);
  owner(true, "2999-01-01T00:00:00Z");
  EXPECT_EQ(read_run_status(run).phase, RunPhase::finished);
  // An hour ahead, set right during the run, and looked at when that hour has passed: the record's own time is before its words.
  owner(true, "2026-01-01T01:00:00Z");
  const auto ended = std::chrono::file_clock::from_sys(std::chrono::sys_seconds(std::chrono::seconds(1767225600 + 1800)));
  fs::last_write_time(run / "owner.json", ended);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::done, "", false, 1767225600 + 1800, 1767225600 + 3590);
  EXPECT_EQ(read_run_status(run).phase, RunPhase::finished);
  owner(false, "2999-01-01T00:00:00Z", 2, host_name());
  EXPECT_EQ(read_run_status(run).phase, RunPhase::lost) << "not given back: these may be the words of an earlier start";
}

TEST_F(RunStatusOfAFolder, KnowsNoAgesOfWhatAClockThatWasAheadWrote) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  steps(7);
  std::ofstream(run / "metrics.jsonl", std::ios::app)
      << Json{{"stage", "retrieval"}, {"step", 8}, {"total_step", 8}, {"loss", {{"total", 1.0}}}, {"time", unix_seconds() + 1e6}} << "\n";
  const auto checkpoint = run / "checkpoints" / "step-00000008";
  fs::create_directories(checkpoint);
  std::ofstream(run / "checkpoints" / "latest") << "step-00000008\n";
  std::ofstream(checkpoint / "manifest.json") << "{}";
  fs::last_write_time(checkpoint / "manifest.json", fs::file_time_type::clock::now() + std::chrono::hours(100));
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::interrupted, "saved", false, unix_seconds() + 1e6);
  const auto status = read_run_status(run);
  EXPECT_EQ(status.phase, RunPhase::interrupted);
  const auto text = describe(status);
  EXPECT_THAT(text, AllOf(HasSubstr("by a clock that was ahead"), Not(HasSubstr(" ago"))));
  EXPECT_TRUE(to_json(status)["checkpoint"]["seconds_ago"].is_null());
  EXPECT_TRUE(to_json(status)["seconds_in_state"].is_null());
}

TEST_F(RunStatusOfAFolder, OfAnUntouchedSubmissionSaysWhyItWaits) {
  write_submitted_job(run, {.id = "12", .kind = "train", .script = "s", .log = "/logs/12.log", .submitted = utc_now()});
  queue_says("echo '12|PENDING||4:00:00|N/A|Resources'");
  const auto status = read_run_status(run);
  EXPECT_EQ(status.phase, RunPhase::waiting);
  EXPECT_THAT(describe(status), AllOf(HasSubstr("waiting in the queue"), HasSubstr("12, PENDING (Resources)"), HasSubstr("/logs/12.log")));
  EXPECT_EQ(to_json(status)["job"]["reason"], "Resources");
  queue_says("echo 'Unable to contact slurm controller' >&2; exit 1");
  EXPECT_THAT(describe(read_run_status(run)), AllOf(HasSubstr("not started"), HasSubstr("cannot be asked: Unable to contact")));
  queue_says("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  EXPECT_EQ(read_run_status(run).phase, RunPhase::lost);
}

TEST_F(RunStatusOfAFolder, FindsCheckpointAndBestValidation) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  steps(40);
  std::ofstream(run / "metrics.jsonl", std::ios::app) << R"({"stage":"retrieval","total_step":40,"step":40,"evaluation":)"
                                                      << R"({"last":{"acc@1":41.5},"average":{"acc@1":44.25}},"time":1})"
                                                      << "\n";
  const auto checkpoint = run / "checkpoints" / "step-00000030";
  fs::create_directories(checkpoint);
  std::ofstream(run / "checkpoints" / "latest") << "step-00000030\n";
  std::ofstream(checkpoint / "manifest.json") << "{}";
  std::ofstream(checkpoint / "retrieval.safetensors") << std::string(2'000'000, 'x');
  std::ofstream(checkpoint / "progress.json") << R"({"best": {"weights": "last", "total_step": 20, "acc@1": 43.0}})";
  auto status = read_run_status(run);
  EXPECT_EQ(status.checkpoint, "step-00000030");
  EXPECT_GE(status.checkpoint_bytes, 2'000'000);
  EXPECT_EQ(status.best["acc@1"], 44.25);
  EXPECT_EQ(status.best["weights"], "average");
  std::ofstream(checkpoint / "progress.json")
      << R"({"best": {"weights": "last", "total_step": 20, "acc@1": 52.0}, "stores": {"pool": {"generation": 3}}})";
  status = read_run_status(run);
  EXPECT_EQ(status.best["total_step"], 20) << "it was measured long ago";
  EXPECT_THAT(describe(status), AllOf(HasSubstr("best acc@1 52.0 (last weights, after 20 steps)"), HasSubstr("step-00000030, 2.0 MB"),
                                      HasSubstr("generation 3")));
}

TEST_F(RunStatusOfAFolder, CountsTheStepsOfACheckpointThatNoLineTellsOf) {
  configure(1000);
  owner(true, "2026-01-01T00:00:00Z");
  const auto checkpoint = run / "checkpoints" / "step-00000250";
  fs::create_directories(checkpoint);
  std::ofstream(run / "checkpoints" / "latest") << "step-00000250\n";
  StepCounts counts;
  counts.retrieval = 250;
  std::ofstream(checkpoint / "progress.json") << Json{{"counts", to_json(counts)}}.dump();
  EXPECT_THAT(describe(read_run_status(run)), HasSubstr(" 25 %, 250 of 1000 steps"));
  steps(300);
  EXPECT_EQ(read_run_status(run).total_step, 300);
}

TEST_F(RunStatusOfAFolder, MakesOneLineOfATable) {
  configure(20);
  owner(true, "2026-01-01T00:00:00Z");
  steps(10);
  for (int rank = 0; rank < 2; ++rank) says(rank, ExitStatus::interrupted, "saved");
  const RunStatus runs[] = {read_run_status(run), read_run_status(run)};
  const auto text = table_of(runs);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, AllOf(HasSubstr("interrupted"), HasSubstr("retrieval 10/20"), HasSubstr(" 50 %")));
}

}  // namespace
}  // namespace duet
