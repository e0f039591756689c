#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "base/file.h"
#include "tests/slurm/cluster.h"

// slurm/train.sbatch on a virtual cluster: whatever happens to the job, it ends with the weights of a run that nothing happened to.

namespace duet {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Long enough for something to happen in it.
Words longer() { return {"--generator.stroke_steps=4", "--retrieval.steps=150", "--joint.steps=6", "--run.evaluate_every=0"}; }

const TinyRun& straight_run() {
  static const TinyRun straight;
  static const bool trained = [] {
    const auto outcome = run(straight.train(longer() + Words{"--ranks", "2"}));
    EXPECT_EQ(outcome.status, 0) << outcome;
    return outcome.status == 0;
  }();
  EXPECT_TRUE(trained);
  return straight;
}

/// A run trained by slurm/train.sbatch, on two nodes with one task each.
class Job {
 public:
  Job(const VirtualCluster& cluster, const Words& sbatch_options, const Words& train_options,
      std::map<std::string, std::string> settings = {})
      : cluster_(cluster) {
    settings.merge(std::map<std::string, std::string>{{"DUET", DUET_PROGRAM},
                                                      {"CONFIG", tiny_.file("tiny.cfg")},
                                                      {"RUN_FOLDER", tiny_.folder()},
                                                      {"LABELLED", stores() / "pairs.store"},
                                                      {"POOL", stores() / "pool.store"},
                                                      {"STROKES", stores() / "strokes.store"},
                                                      {"DUET_MONITORING_ADDRESS", "127.0.0.1"}});
    id_ = cluster.submit(Words{"--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--time=10", "--output", tiny_.file("out")} +
                             sbatch_options + Words{TRAIN_SBATCH} + train_options,
                         {.environment = settings});
  }
  ~Job() {
    cluster_.cancel(id_);
    cluster_.wait_for_state(id_, kEnds, 20);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  int id() const { return id_; }
  const TinyRun& run() const { return tiny_; }
  std::string output() const { return std::filesystem::exists(tiny_.file("out")) ? read_file(tiny_.file("out")) : ""; }

  /// Waits until so many steps are in metrics.jsonl. Throws std::runtime_error when the job ends before.
  void wait_for_steps(std::int64_t steps, double seconds = 120) const {
    const auto there = [&] { return std::ssize(tiny_.steps()) >= steps; };
    wait_until([&] { return there() || std::ranges::find(kEnds, cluster_.state(id_)) != kEnds.end(); }, seconds);
    if (!there())
      throw std::runtime_error(fmt::format("{} steps, the job is {}:\n{}", std::ssize(tiny_.steps()), cluster_.state(id_), output()));
  }
  void expect_state(const std::string& state, double seconds = 180) const {
    EXPECT_EQ(cluster_.wait_for_state(id_, kEnds, seconds), state) << output();
    EXPECT_TRUE(wait_until([&] { return cluster_.processes().empty(); }, 60)) << "processes are left on the nodes";
  }
  /// From the second start of the job to the first step that was done after it.
  void expect_quick_restart() const {
    const auto started = cluster_.call({"date", "-d", cluster_.field(id_, "StartTime"), "+%s"});
    const double start = std::atof(started.out.c_str());
    for (const auto& step : tiny_.steps()) {
      if (const auto time = step.at("time").get<double>(); time > start) {
        std::cout << "first step " << time - start << " s after the restarted job's start\n";
        EXPECT_LT(time - start, 30);
        return;
      }
    }
    ADD_FAILURE() << "no step after the restart";
  }
  void expect_weights_of(const TinyRun& other) const {
    ASSERT_FALSE(tiny_.latest().empty());
    EXPECT_EQ(tiny_.latest().filename(), other.latest().filename());
    for (const char* network : {"retrieval", "retrieval-average", "generator", "discriminator"}) {
      const auto file = std::string(network) + ".safetensors";
      EXPECT_TRUE(read_file(tiny_.latest() / file) == read_file(other.latest() / file)) << file << " differs";
    }
  }
  /// Kills a rank on whatever node it is.
  void kill_rank(int rank) const { ASSERT_EQ(::kill(process_of_rank(rank), SIGKILL), 0); }
  /// The task's process of a rank. Throws std::runtime_error when there is none.
  pid_t process_of_rank(int rank) const {
    for (const pid_t process : cluster_.processes()) {
      if (!content_of(process, "comm").starts_with("duet")) continue;
      const auto setting = fmt::format("PMIX_RANK={}", rank) + '\0';
      if (content_of(process, "environ").find(setting) != std::string::npos) return process;
    }
    throw std::runtime_error(fmt::format("no process of rank {}", rank));
  }

 private:
  static inline const std::vector<std::string> kEnds = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"};
  static std::string content_of(pid_t process, const char* file) {
    std::ifstream in(fmt::format("/proc/{}/{}", process, file), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const VirtualCluster& cluster_;
  TinyRun tiny_;
  int id_ = 0;
};

class TrainingJob : public testing::Test {
 protected:
  static void SetUpTestSuite() { cluster_ = new VirtualCluster({.nodes = 3, .cores = 2, .node_timeout_seconds = 8}); }
  static void TearDownTestSuite() { delete cluster_; }
  static VirtualCluster& cluster() { return *cluster_; }

 private:
  inline static VirtualCluster* cluster_ = nullptr;
};

TEST_F(TrainingJob, SignalledItSavesQueuesItselfAgainAndEndsAsIfNothingHadHappened) {
  const Job job(cluster(), {}, longer());
  job.wait_for_steps(30);
  EXPECT_EQ(cluster().call({"scancel", "--signal=USR2", "--batch", std::to_string(job.id())}).status, 0);
  cluster().release_requeued(job.id());
  EXPECT_THAT(job.output(), AllOf(HasSubstr("state saved in"), HasSubstr("duet train ended with status 75")));
  job.expect_state("COMPLETED");
  EXPECT_NE(cluster().field(job.id(), "Restarts"), "0");  // Slurm may start it once more by itself
  job.expect_quick_restart();
  job.expect_weights_of(straight_run());
}

TEST_F(TrainingJob, ThroughMpirunItDoesTheSame) {
  const Job job(cluster(), {}, longer(), {{"LAUNCHER", "mpirun"}});
  job.wait_for_steps(30);
  EXPECT_EQ(cluster().call({"scancel", "--signal=USR2", "--batch", std::to_string(job.id())}).status, 0);
  cluster().release_requeued(job.id());
  job.expect_state("COMPLETED");
  job.expect_weights_of(straight_run());
}

TEST_F(TrainingJob, ALostRankIsNamedAndTheJobGoesOn) {
  const Job job(cluster(), {}, longer());
  job.wait_for_steps(30);
  job.kill_rank(1);
  cluster().release_requeued(job.id());
  EXPECT_THAT(job.output(), AllOf(HasSubstr("rank 1 was lost (signal 9)"), HasSubstr("duet train ended with status 76")));
  job.expect_state("COMPLETED");
  job.expect_weights_of(straight_run());
}

TEST_F(TrainingJob, ANodeThatDiesIsReplaced) {
  const Job job(cluster(), {}, longer());
  job.wait_for_steps(30);
  const auto node = cluster().call({"scontrol", "show", "hostnames", cluster().field(job.id(), "NodeList")}).out;
  const auto last = node.substr(node.rfind('\n', node.size() - 2) + 1);
  cluster().kill_node(last.substr(0, last.find('\n')));
  cluster().release_requeued(job.id());
  job.expect_state("COMPLETED");
  job.expect_quick_restart();
  job.expect_weights_of(straight_run());
  cluster().start_node(last.substr(0, last.find('\n')));
}

TEST_F(TrainingJob, WhatCannotBeMendedByRepeatingIsNotRepeated) {
  const Job diverging(cluster(), {}, {"--retrieval.learning_rate=1e30", "--retrieval.clip=0", "--retrieval.steps=400"});
  diverging.expect_state("FAILED");
  EXPECT_EQ(cluster().field(diverging.id(), "ExitCode"), "77:0") << diverging.output();
  EXPECT_EQ(cluster().field(diverging.id(), "Restarts"), "0");
}

TEST_F(TrainingJob, RestartsAreBounded) {
  const Job job(cluster(), {}, endless(), {{"MAX_RESTARTS", "0"}});
  job.wait_for_steps(8);
  cluster().call({"scancel", "--signal=USR2", "--batch", std::to_string(job.id())});
  job.expect_state("FAILED");
  EXPECT_EQ(cluster().field(job.id(), "ExitCode"), "75:0");
  EXPECT_THAT(job.output(), HasSubstr("MAX_RESTARTS=0"));
}

TEST_F(TrainingJob, LostRanksAreBoundedToo) {
  const Job job(cluster(), {}, endless(), {{"MAX_LOST", "0"}, {"LAUNCHER", "mpirun"}});
  job.wait_for_steps(8);
  job.kill_rank(1);
  job.expect_state("FAILED");
  EXPECT_EQ(cluster().field(job.id(), "ExitCode"), "76:0");
  EXPECT_THAT(job.output(), AllOf(HasSubstr("rank 1 was lost"), HasSubstr("MAX_LOST")));
}

TEST_F(TrainingJob, CancelledItLeavesNoProcessOnAnyNode) {
  for (const char* launcher : {"srun", "mpirun"}) {
    const Job job(cluster(), {}, endless(), {{"LAUNCHER", launcher}});
    job.wait_for_steps(8);
    EXPECT_THAT(cluster().processes(), Not(IsEmpty()));
    cluster().cancel(job.id());
    job.expect_state("CANCELLED");
  }
}

TEST_F(TrainingJob, ReadsFromCopiesOnTheNodesDisks) {
  const TemporaryFolder disk;
  const Job job(cluster(), {}, {}, {{"STAGE_TO", disk / "stores"}});
  job.expect_state("COMPLETED");
  EXPECT_THAT(job.output(), AllOf(HasSubstr((disk / "stores/").string()), HasSubstr("/pool.store holds")));
  EXPECT_THAT(read_file(job.run().folder() / "config.cfg"), AllOf(HasSubstr((disk / "stores/").string()), HasSubstr("/pairs.store")));
  job.expect_weights_of(finished_run());
}

TEST_F(TrainingJob, StagedStoresOfOneNameAreKeptApartAndReplacedOnesCopiedAnew) {
  const TemporaryFolder disk, places;
  const auto pairs = places / "labelled/x.store", pool = places / "pool/x.store";
  std::filesystem::rename(copy_store("pairs.store", places / "labelled"), pairs);
  std::filesystem::rename(copy_store("pool.store", places / "pool"), pool);
  const std::map<std::string, std::string> settings{{"STAGE_TO", disk / "stores"}, {"LABELLED", pairs}, {"POOL", pool}};
  const Job job(cluster(), {}, {}, settings);
  job.expect_state("COMPLETED");
  job.expect_weights_of(finished_run());

  // Another pool in the same place, of the same generation, and so with the same manifest.json.
  const auto outcome =
      run(duet({"synth", "--pairs", "0", "--test", "0", "--pool", "12", "--side", "64", "--seed", "99", "--out", places / "other"}));
  ASSERT_EQ(outcome.status, 0) << outcome;
  std::filesystem::remove_all(pool);
  std::filesystem::rename(places / "other/pool.store", pool);
  // A copy that was interrupted.
  for (const auto& place : std::filesystem::directory_iterator(disk / "stores")) {
    const auto part = place.path() / "x.store.part";
    std::filesystem::create_directories(part / "shards");
    std::ofstream(part / "manifest.json") << "{";
    for (const auto& shard : std::filesystem::directory_iterator(pool / "shards"))
      std::ofstream(part / "shards" / shard.path().filename()) << "x";
  }
  const Job again(cluster(), {}, {}, settings);
  again.expect_state("COMPLETED");
  int copies = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(disk / "stores")) {
    if (entry.path().filename() == "00000001.json" && read_file(entry.path()) == read_file(pool / "manifests/00000001.json")) ++copies;
  }
  EXPECT_EQ(copies, 1);
}

TEST(TrainingJobAtItsTimeLimit, SavesBeforeAndGoesOnAfter) {
  const VirtualCluster cluster({.nodes = 2});
  const Job job(cluster, {"--time=1", "--signal=B:USR2@50"}, endless());
  job.wait_for_steps(8);
  cluster.release_requeued(job.id(), 120);
  EXPECT_THAT(job.output(), HasSubstr("signal USR2: the ranks save and stop"));
  const auto before = std::ssize(job.run().steps());
  job.wait_for_steps(before + 5);
  EXPECT_THAT(job.output(), HasSubstr("continues from"));
}

// The first node runs rank 0, which goes on living there and holds the run's lock.
TEST(TrainingJobOnAHostThatIsCutOff, GoesOnElsewhereAndTheFormerRanksWriteNothingMore) {
  const VirtualCluster cluster({.nodes = 4, .hosts = true, .node_timeout_seconds = 6});
  const auto& nodes = cluster.nodes();  // the first is the controller's
  const Job job(cluster, {"--exclude", nodes[0]}, longer());
  job.wait_for_steps(30);
  const auto former = job.process_of_rank(0);
  const auto first = cluster.field(job.id(), "BatchHost");
  cluster.cut_off(first);
  cluster.release_requeued(job.id());
  EXPECT_EQ(::kill(former, 0), 0) << "the former rank 0 should still be there, unreachable";
  EXPECT_EQ(cluster.wait_for_state(job.id(), {"COMPLETED", "FAILED"}), "COMPLETED") << job.output();
  EXPECT_EQ(::kill(former, 0), 0) << "the former rank 0 should have been there all the time";
  EXPECT_THAT(job.output(), HasSubstr("taking over"));
  job.expect_quick_restart();
  job.expect_weights_of(straight_run());
  cluster.connect(first);
  job.expect_state("COMPLETED");  // and Slurm ends what was left behind
  job.expect_weights_of(straight_run());
}

}  // namespace
}  // namespace duet
