#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/checksum.h"
#include "base/file.h"
#include "datasets/store/store.h"
#include "tests/slurm/cluster.h"

// `duet submit`, `duet status` and the batch scripts beside train.sbatch, as a user of a cluster meets them.

namespace duet {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kEnds = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"};

class Submission : public testing::Test {
 protected:
  static void SetUpTestSuite() { cluster_ = new VirtualCluster({.nodes = 2, .cores = 2}); }
  static void TearDownTestSuite() { delete cluster_; }
  static VirtualCluster& cluster() { return *cluster_; }

  /// `duet submit train` of a tiny run.
  static Words submit(const TinyRun& tiny, const Words& options = {}) {
    return duet({"submit", "train", "--config", tiny.file("tiny.cfg").string(), "--run.folder", tiny.folder().string(), "--cpus-per-task",
                 "1", "--time", "10", "--monitoring.address", "127.0.0.1"}) +
           options;
  }
  static Json status_of(const TinyRun& tiny) {
    const auto outcome = cluster().call(duet({"status", tiny.folder().string(), "--json"}));
    EXPECT_EQ(outcome.status, 0) << outcome;
    return outcome.status == 0 ? parse_json(outcome.out, "duet status") : Json{{"state", ""}};
  }
  static std::string end_of(int job) { return cluster().wait_for_state(job, kEnds, 180); }
  static int job_of(const Outcome& outcome) { return std::stoi(parse_json(outcome.out, "duet submit").at("job").get<std::string>()); }

 private:
  inline static VirtualCluster* cluster_ = nullptr;
};

TEST_F(Submission, TrainsOnTwoNodesAndStatusFollows) {
  const TinyRun tiny;
  const auto submitted = cluster().call(submit(tiny, {"--nodes", "2", "--retrieval.steps=60", "--json"}));
  ASSERT_EQ(submitted.status, 0) << submitted;
  const int job = job_of(submitted);
  EXPECT_TRUE(fs::exists(parse_json(submitted.out, "duet submit").at("script").get<std::string>()));
  EXPECT_TRUE(wait_until([&] { return std::ssize(tiny.steps()) > 12; }, 120));
  const auto running = status_of(tiny);
  EXPECT_EQ(running.at("state"), "running") << running.dump(2);
  EXPECT_EQ(running.at("job").at("id"), std::to_string(job)) << running.dump(2);

  const auto again = cluster().call(submit(tiny));
  EXPECT_EQ(again.status, 73) << again;
  EXPECT_EQ(end_of(job), "COMPLETED");
  const auto finished = status_of(tiny);
  EXPECT_EQ(finished.at("state"), "finished") << finished.dump(2);
  EXPECT_TRUE(fs::exists(tiny.folder() / "report.html"));
  const auto people = cluster().call(duet({"status", tiny.folder().string()}));
  EXPECT_THAT(people.out, AllOf(HasSubstr("finished"), HasSubstr(tiny.folder().string())));
}

TEST_F(Submission, WhatCannotRunIsNotQueued) {
  const TinyRun tiny;
  const auto odd = cluster().call(submit(tiny, {"--nodes", "2", "--tasks-per-node", "2"}));  // batches of 6
  EXPECT_EQ(odd.status, 64) << odd;
  EXPECT_THAT(odd.error, HasSubstr("cannot be shared equally by 4 ranks"));
  const auto many = cluster().call(submit(tiny, {"--nodes", "3"}));
  EXPECT_EQ(many.status, 64) << many;
  EXPECT_THAT(many.error, HasSubstr("sbatch"));
  const auto unknown = cluster().call(submit(tiny, {"--after", "987654"}));
  EXPECT_EQ(unknown.status, 64) << unknown;
  EXPECT_THAT(unknown.error, HasSubstr("--after 987654"));
  EXPECT_EQ(cluster().call(submit(tiny, {"--stage-to", "here"})).status, 64);
  for (const auto* further :
       {"--array=1-4", "--exclusive --nodes=2", "--ntasks-per-node 2", "-N2", "--output=elsewhere", "--signal=USR1@60", "--no-requeue"}) {
    const auto refused = cluster().call(submit(tiny, {"--sbatch", further}));
    EXPECT_EQ(refused.status, 64) << refused;
    EXPECT_THAT(refused.error, HasSubstr("--sbatch")) << further;
  }
  const auto nowhere = cluster().call(submit(tiny, {"--partition", "nowhere"}));
  EXPECT_EQ(nowhere.status, 64) << nowhere;
  EXPECT_THAT(nowhere.error, HasSubstr("partition"));
  const auto missing = cluster().call(submit(tiny, {"--data.pool", "/nowhere/pool.store"}));
  EXPECT_EQ(missing.status, 66) << missing;
  fs::copy_file(DUET_PROGRAM, tiny.file("duet"));  // without the plugin beside it
  fs::create_directory_symlink(fs::path(DUET_PROGRAM).parent_path() / "share", tiny.file("share"));
  auto without_cuda = submit(tiny, {"--gpus-per-node", "1"});
  without_cuda.front() = tiny.file("duet").string();
  const auto no_cuda = cluster().call(without_cuda);
  EXPECT_EQ(no_cuda.status, 69) << no_cuda;
  EXPECT_THAT(no_cuda.error, HasSubstr("without the CUDA toolkit"));
  EXPECT_FALSE(fs::exists(tiny.folder() / "job.json"));
  const auto no_slurm = run(submit(tiny), {.environment = {{"PATH", "/nowhere"}}});
  EXPECT_EQ(no_slurm.status, 69) << no_slurm;
  EXPECT_THAT(no_slurm.error, HasSubstr("sbatch"));
}

TEST_F(Submission, ThePrintedScriptRunsAsItIs) {
  const TinyRun tiny;
  const auto printed = cluster().call(submit(tiny, {"--joint.steps=0", "--print"}));
  ASSERT_EQ(printed.status, 0) << printed;
  std::ofstream(tiny.file("job.sbatch")) << printed.out;
  const int job = cluster().submit({"--output", tiny.file("out").string(), tiny.file("job.sbatch").string()});
  EXPECT_EQ(end_of(job), "COMPLETED");
  EXPECT_EQ(status_of(tiny).at("state"), "finished");
}

std::map<std::string, std::string> settings_of(const TinyRun& tiny) {
  return {{"DUET", DUET_PROGRAM}, {"CONFIG", tiny.file("tiny.cfg")},       {"LABELLED", stores() / "pairs.store"}, {"POOL", ""},
          {"STROKES", ""},        {"DUET_MONITORING_ADDRESS", "127.0.0.1"}};
}

Words quick() { return {"--generator.pair_steps=0", "--generator.stroke_steps=0", "--joint.steps=0"}; }

TEST_F(Submission, ASweepTrainsEachVariantInAFolderOfItsOwnAndEvalMeasuresIt) {
  const TinyRun tiny;
  auto settings = settings_of(tiny);
  const auto common = fmt::format("{}", fmt::join(quick(), " "));
  settings["VARIANTS"] = "--run.seed=1 " + common + "|--run.seed=2 " + common;
  settings["RUN_PREFIX"] = tiny.file("sweep");
  settings["TRAIN"] = TRAIN_SBATCH;
  const auto scripts = fs::path(TRAIN_SBATCH).parent_path();
  const int job = cluster().submit(
      {"--array=0-2", "--time=10", "--cpus-per-task=1", "--output", tiny.file("out-%a").string(), (scripts / "sweep.sbatch").string()},
      {.environment = settings});
  EXPECT_TRUE(wait_until(
      [&] {
        return cluster().call({"squeue", "--noheader", "--jobs", std::to_string(job)}).out.find_first_not_of(" \n") == std::string::npos;
      },
      180));
  for (const int variant : {0, 1}) {
    const auto folder = tiny.file(fmt::format("sweep-{}", variant));
    EXPECT_TRUE(fs::exists(folder / "report.html")) << read_file(tiny.file(fmt::format("out-{}", variant)));
    EXPECT_THAT(read_file(folder / "config.cfg"), HasSubstr(fmt::format("seed = {}", variant + 1)));
  }
  EXPECT_THAT(read_file(tiny.file("out-2")), HasSubstr("there are 2, counted from 0"));

  const auto run_folder = tiny.file("sweep-0");
  const int eval = cluster().submit(
      {"--ntasks-per-node=2", "--cpus-per-task=1", "--time=10", "--output", tiny.file("out-eval").string(),
       (scripts / "eval.sbatch").string()},
      {.environment = {{"DUET", DUET_PROGRAM}, {"RUN_FOLDER", run_folder}, {"STORE", stores() / "pairs.store"}, {"SPLIT", "test"}}});
  EXPECT_EQ(end_of(eval), "COMPLETED") << read_file(tiny.file("out-eval"));
  EXPECT_EQ(read_json(run_folder / "evaluation-test-best.json").at("gallery"), 8);
}

// The last task of an array has the array's number for its own.
TEST_F(Submission, TheLastTaskOfASweepIsQueuedAgainAndNoOther) {
  const TinyRun tiny;
  auto settings = settings_of(tiny);
  settings["VARIANTS"] = "--run.seed=1|--run.seed=2";
  settings["RUN_PREFIX"] = tiny.file("sweep");
  settings["TRAIN"] = TRAIN_SBATCH;
  const auto scripts = fs::path(TRAIN_SBATCH).parent_path();
  const int job = cluster().submit(Words{"--array=0-1", "--time=10", "--cpus-per-task=1", "--output", tiny.file("out-%a").string(),
                                         (scripts / "sweep.sbatch").string()} +
                                       endless(),
                                   {.environment = settings});
  const auto logged = [&](int variant) {
    const auto file = tiny.file(fmt::format("sweep-{}", variant)) / "metrics.jsonl";
    return fs::exists(file) ? std::ranges::count(read_file(file), '\n') : 0;
  };
  ASSERT_TRUE(wait_until([&] { return logged(0) > 8 && logged(1) > 8; }, 120)) << read_file(tiny.file("out-1"));
  const auto last = fmt::format("{}_1", job);
  EXPECT_EQ(cluster().call({"scancel", "--signal=USR2", "--batch", last}).status, 0);
  const auto says = [&](const std::string& text) { return read_file(tiny.file("out-1")).find(text) != std::string::npos; };
  EXPECT_TRUE(wait_until([&] { return says("queued again") || says("not queued"); }, 60)) << read_file(tiny.file("out-1"));
  EXPECT_TRUE(wait_until(
      [&] {
        std::this_thread::sleep_for(std::chrono::seconds(6));  // until the nodes have forgotten its former start
        cluster().call({"scontrol", "update", "JobId=" + last, "StartTime=now"});
        return says("continues from");
      },
      60))
      << read_file(tiny.file("out-1")) << cluster().call({"scontrol", "show", "job", last}).out;
  EXPECT_EQ(read_file(tiny.file("out-0")).find("start 2"), std::string::npos) << "the other task was started again, too";
  const auto steps = logged(0);
  EXPECT_TRUE(wait_until([&] { return logged(0) > steps; }, 60));
  cluster().cancel(job);
  EXPECT_TRUE(wait_until([&] { return cluster().processes().empty(); }, 60));
}

TEST_F(Submission, AChainOfStagesFollowsByDependencyAndEndsWithAFailedLink) {
  // slurm/chain.sh with settings of its own.
  const TinyRun tiny;
  auto script = read_file(fs::path(TRAIN_SBATCH).parent_path() / "chain.sh");
  const auto from = script.find("# --- settings\n"), to = script.find("# --- end of settings\n");
  ASSERT_TRUE(from < to && to != std::string::npos);
  const auto runs = tiny.file("chain");
  script.replace(from, to - from,
                 fmt::format("program={}\nprefix={}\ncommon=(--config {} --cpus-per-task 1 --time 10 --monitoring.address=127.0.0.1)\n"
                             "strokes=(--data.strokes {})\npairs=(--generator.pair_steps=4)\njoint=(--nodes 2 --retrieval.steps=6)\n",
                             DUET_PROGRAM, runs.string(), tiny.file("tiny.cfg").string(), (stores() / "strokes.store").string()));
  std::ofstream(tiny.file("chain.sh")) << script;
  const auto chain = cluster().call({"bash", tiny.file("chain.sh").string()});
  ASSERT_EQ(chain.status, 0) << chain;
  const auto last = chain.out.find("joint: job ");
  ASSERT_NE(last, std::string::npos) << chain;
  EXPECT_EQ(end_of(std::stoi(chain.out.substr(last + 11))), "COMPLETED");
  for (const auto* stage : {"strokes", "pairs", "joint"}) {
    const auto outcome = cluster().call(duet({"status", runs.string() + "-" + stage, "--json"}));
    EXPECT_EQ(parse_json(outcome.out, "duet status").at("state"), "finished") << outcome;
  }

  // A link that fails: data that cannot be read any more when the job starts.
  const TinyRun failing, never;
  const auto store = copy_store("pairs.store", failing.file("moved"));
  const auto broken = cluster().call(submit(failing, {"--data.labelled", store.string(), "--sbatch", "--begin=now+5", "--json"}));
  ASSERT_EQ(broken.status, 0) << broken;
  fs::remove_all(store);
  const auto behind = cluster().call(submit(never, {"--json", "--after", std::to_string(job_of(broken))}));
  ASSERT_EQ(behind.status, 0) << behind;
  EXPECT_EQ(end_of(job_of(broken)), "FAILED");
  EXPECT_EQ(end_of(job_of(behind)), "CANCELLED");
  EXPECT_FALSE(fs::exists(never.folder() / "checkpoints"));
}

TEST_F(Submission, AnImportInPartsMakesTheStoreThatOneImportMakes) {
  const TinyRun tiny;
  ASSERT_EQ(run(duet({"synth", "--pairs", "1", "--pool", "90", "--side", "64", "--out", tiny.file("synthetic").string()})).status, 0);
  const auto photos = tiny.file("photos");
  fs::create_directories(photos);
  const auto pool = Store::open(tiny.file("synthetic") / "pool.store")->view("all");
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < pool.photo_count(); ++i) {
    pool.read_photo(i, bytes);
    write_file_atomically(photos / fmt::format("{}.jpg", i), std::span<const std::byte>(bytes));
  }
  ASSERT_EQ(run(duet({"import", "photos", photos.string(), "--out", tiny.file("alone.store").string()})).status, 0);

  const auto store = tiny.file("pool.store");
  std::map<std::string, std::string> settings = {
      {"DUET", DUET_PROGRAM}, {"PHOTOS", photos.string()}, {"STORE", store.string()}, {"PARTS", "3"}};
  const auto import = [&](const std::string& array) {
    return cluster().submit({"--array", array, "--time=10", "--cpus-per-task=1", "--output", tiny.file("out-%a").string(),
                             (fs::path(TRAIN_SBATCH).parent_path() / "import.sbatch").string()},
                            {.environment = settings});
  };
  const auto over = [&](int job) {
    return wait_until(
        [&] {
          return cluster().call({"squeue", "--noheader", "--jobs", std::to_string(job)}).out.find_first_not_of(" \n") == std::string::npos;
        },
        120);
  };
  // Part 2 fails: its place is taken. The others do not assemble without it.
  std::ofstream((fs::create_directories(store / "parts"), store / "parts/2-of-3")) << "in the way";
  EXPECT_TRUE(over(import("1-4")));
  EXPECT_THAT(read_file(tiny.file("out-2")), HasSubstr("parts/2-of-3"));
  EXPECT_THAT(read_file(tiny.file("out-4")), HasSubstr("PARTS=3"));
  EXPECT_FALSE(is_store(store));
  fs::remove(store / "parts/2-of-3");
  EXPECT_TRUE(over(import("2")));
  ASSERT_TRUE(is_store(store)) << read_file(tiny.file("out-2"));
  EXPECT_FALSE(fs::exists(store / "parts"));
  const auto checksums = [](const fs::path& folder) {
    std::vector<std::string> lines;
    const auto opened = Store::open(folder);
    for (const auto& shard : opened->manifest().shards) lines.push_back(shard.file + " " + to_hex(shard.checksum));
    return lines;
  };
  EXPECT_EQ(checksums(store), checksums(tiny.file("alone.store")));
  // Once more, added to the store: nothing is new, until there is.
  settings["APPEND"] = "yes";
  EXPECT_TRUE(over(import("1-3")));
  EXPECT_EQ(Store::newest_generation(store), 1);
  EXPECT_THAT(read_file(tiny.file("out-1")) + read_file(tiny.file("out-2")) + read_file(tiny.file("out-3")),
              HasSubstr("the store stays at generation 1"));
  EXPECT_FALSE(fs::exists(store / "parts"));
  fs::remove(photos / "0.jpg");
  Store::open(stores() / "pairs.store")->view("all").read_photo(0, bytes);
  write_file_atomically(photos / "new.jpg", std::span<const std::byte>(bytes));
  EXPECT_TRUE(over(import("1-3")));
  EXPECT_EQ(Store::newest_generation(store), 2) << read_file(tiny.file("out-3"));
}

TEST_F(Submission, RanksThatDoNotFitTogetherStopWithATable) {
  const TinyRun tiny;
  const auto train = [&](const std::string& options) {
    std::string command;
    for (const auto& word : tiny.train(quick())) command += word + " ";
    return Words{"srun", "--mpi=pmix", "--nodes=2", "--ntasks=2", "bash", "-c", command + options};
  };
  const auto seeds = cluster().call(train("--run.seed=$SLURM_PROCID"));
  EXPECT_NE(seeds.status, 0) << seeds;
  EXPECT_THAT(seeds.error + seeds.out, HasSubstr("run.seed"));
  EXPECT_TRUE(tiny.latest().empty());
  const auto alone = cluster().call(Words{"srun", "--mpi=none", "--nodes=2", "--ntasks=2"} + tiny.train(quick()));
  EXPECT_NE(alone.status, 0) << alone;
  EXPECT_THAT(alone.error + alone.out, HasSubstr("--mpi=pmix"));
}

}  // namespace
}  // namespace duet
