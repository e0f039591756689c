#include "cluster/ranks/rank_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Two ranks on each of two nodes, nothing wrong.
std::vector<RankFacts> fitting(bool gpus = false) {
  std::vector<RankFacts> ranks;
  for (int rank = 0; rank < 4; ++rank) {
    const auto node = fmt::format("n{}", rank / 2 + 1);
    ranks.push_back(
        {.rank = rank,
         .size = 4,
         .local_size = 2,
         .host = node,
         .step = SlurmStep{.starts_ranks = true, .tasks = 4, .task = rank, .tasks_on_node = 2, .gpus_on_node = gpus ? 2 : 0, .node = node},
         .uses_gpu = gpus,
         .gpu = gpus ? fmt::format("GPU-{}", rank) : "",
         .alike = {{Alike::Kind::program, "program", "version 1, 77aa"}, {Alike::Kind::option, "retrieval.batch", "64"}}});
  }
  return ranks;
}

std::pair<ExitStatus, std::string> refusal(const std::vector<RankFacts>& ranks) {
  try {
    require_fitting_ranks(ranks);
  } catch (const Error& error) {
    return {error.status(), error.what()};
  }
  return {ExitStatus::done, ""};
}

TEST(RankFacts, TravelAsJson) {
  const auto facts = fitting(true)[3];
  const auto back = rank_facts_from_json(parse_json(to_json(facts).dump(), "test"));
  EXPECT_EQ(to_json(back), to_json(facts));
  EXPECT_EQ(back.step->task, 3);
  EXPECT_EQ(back.alike, facts.alike);
}

TEST(RankFacts, OfOneRunFit) {
  EXPECT_EQ(refusal(fitting()).second, "");
  EXPECT_EQ(refusal(fitting(true)).second, "");
}

TEST(RankFacts, ShowBothCountsWhenTasksAreNotMpisRanks) {
  auto alone = fitting()[0];  // each task believes to be alone
  alone.size = alone.local_size = 1;
  const auto [status, text] = refusal({alone});
  EXPECT_EQ(status, ExitStatus::usage);
  EXPECT_THAT(text, AllOf(HasSubstr("Slurm's step: 4 tasks"), HasSubstr("MPI: 1 rank (rank 0 on n1)"), HasSubstr("srun --mpi=pmix")));
}

TEST(RankFacts, ShowRanksThatSlurmCountsOtherwise) {
  auto ranks = fitting();
  std::swap(ranks[1].step->task, ranks[2].step->task);
  EXPECT_THAT(refusal(ranks).second, AllOf(HasSubstr("SLURM_PROCID: task 2"), HasSubstr("MPI: rank 1 (rank 1 on n1)"),
                                           HasSubstr("SLURM_PROCID: task 1"), HasSubstr("MPI: rank 2 (rank 2 on n2)")));
  ranks = fitting();
  ranks[3].local_size = 4;
  EXPECT_THAT(refusal(ranks).second, AllOf(HasSubstr("ranks of a node"), HasSubstr("2 tasks"), HasSubstr("MPI: 4 ranks (rank 3 on n2)")));
}

TEST(RankFacts, OfMpirunAreNotHeldAgainstItsDaemons) {
  auto ranks = fitting();
  for (auto& facts : ranks) {
    facts.step->starts_ranks = false;
    facts.step->tasks = 2;
    facts.step->task = facts.rank / 2;
    facts.step->tasks_on_node = 1;
  }
  EXPECT_EQ(refusal(ranks).second, "");
}

TEST(RankFacts, ShowEveryOptionThatDiffersWithRanksAndHosts) {
  auto ranks = fitting();
  ranks[2].alike[1].value = "32";
  ranks[2].alike.push_back({Alike::Kind::option, "run.seed", "5"});
  const auto [status, text] = refusal(ranks);
  EXPECT_EQ(status, ExitStatus::usage);
  EXPECT_THAT(text, AllOf(HasSubstr("retrieval.batch"), HasSubstr("64 (ranks 0, 1, 3 on n1, n2)"), HasSubstr("32 (rank 2 on n2)"),
                          HasSubstr("not known (ranks 0, 1, 3"), HasSubstr("5 (rank 2 on n2)"), Not(HasSubstr("77aa"))));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << "two rows and one advice for both\n" << text;
}

TEST(RankFacts, ShowAnotherProgram) {
  auto ranks = fitting();
  ranks[2].alike[0].value = ranks[3].alike[0].value = "version 2, 1234";
  EXPECT_THAT(refusal(ranks).second, AllOf(HasSubstr("version 1, 77aa (ranks 0, 1 on n1)"), HasSubstr("version 2, 1234 (ranks 2, 3 on n2)"),
                                           HasSubstr("one installation")));
}

TEST(RankFacts, MustBeAsManyAsGpusOfANode) {
  auto ranks = fitting(true);
  for (auto& facts : ranks) facts.step->gpus_on_node = 8;
  EXPECT_THAT(refusal(ranks).second, AllOf(HasSubstr("GPUs of n1"), HasSubstr("GPUs of n2"), HasSubstr("Slurm gives 8 GPUs"),
                                           HasSubstr("ranks 2, 3, one GPU each"), HasSubstr("--ntasks-per-node=N")));
  for (auto& facts : ranks) facts.step->gpus_on_node = 1;
  EXPECT_THAT(refusal(ranks).second, HasSubstr("cluster.backend=mpi"));
  for (auto& facts : ranks) facts.may_share_gpu = true;
  EXPECT_EQ(refusal(ranks).second, "");
}

TEST(RankFacts, ShowTwoRanksOnOneGpuUnlessMpiCarriesGradients) {
  auto ranks = fitting(true);
  ranks[1].gpu = ranks[0].gpu;
  EXPECT_THAT(refusal(ranks).second, AllOf(HasSubstr("GPU GPU-0"), HasSubstr("rank 0 on n1"), HasSubstr("rank 1 on n1")));
  for (auto& facts : ranks) facts.may_share_gpu = true;
  EXPECT_EQ(refusal(ranks).second, "");
}

TEST(RankFacts, SayWhichHostLacksAGpu) {
  auto ranks = fitting(true);
  ranks[3].gpu.clear();
  ranks[3].gpu_error = "no driver";
  auto [status, text] = refusal(ranks);
  EXPECT_EQ(status, ExitStatus::unavailable);
  EXPECT_THAT(text, AllOf(HasSubstr("found by ranks 0-2 on n1, n2"), HasSubstr("rank 3 on n2: no driver")));
  for (auto& facts : ranks) {
    facts.gpu.clear();
    facts.gpu_error = "no driver";
  }
  std::tie(status, text) = refusal(ranks);
  EXPECT_EQ(status, ExitStatus::unavailable);
  EXPECT_EQ(text, "no driver") << "the same everywhere: no table";
}

TEST(RankFacts, RemarkOnGpusThatNothingUses) {
  auto ranks = fitting();
  EXPECT_EQ(remark_on(ranks), "");
  for (auto& facts : ranks) facts.step->gpus_on_node = 2;
  EXPECT_THAT(remark_on(ranks), HasSubstr("holds 4 GPUs"));
  for (auto& facts : ranks) facts.uses_gpu = true;
  EXPECT_EQ(remark_on(ranks), "");
}

}  // namespace
}  // namespace duet
