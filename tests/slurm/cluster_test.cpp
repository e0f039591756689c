#include "tests/slurm/cluster.h"

#include <gmock/gmock.h>

#include <optional>

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(VirtualClusters, TwoAtOnceRunTheirOwnJobsAndLeaveNothing) {
  std::optional<VirtualCluster> first(std::in_place), second(std::in_place, VirtualClusterOptions{.nodes = 1});
  EXPECT_NE(first->nodes().front(), second->nodes().front());
  const TemporaryFolder folder;
  const int job = first->submit({"-N2", "--ntasks-per-node=1", "-o", folder / "out", "--wrap", "srun hostname; sleep 600 & sleep 600"});
  EXPECT_TRUE(wait_until([&] { return !first->processes(first->nodes().front()).empty(); }, 20)) << first->state(job);
  EXPECT_THAT(second->processes(), IsEmpty());
  const auto there = second->call({"srun", "--mpi=pmix", "-n2", "bash", "-c", "echo $SLURMD_NODENAME-$PMIX_RANK"});
  EXPECT_EQ(there.status, 0) << there;
  EXPECT_THAT(there.out, HasSubstr(second->nodes().front() + "-1"));
  EXPECT_TRUE(wait_until([&] { return first->state(job) == "RUNNING"; }, 20));
  const auto left = first->processes();
  EXPECT_THAT(left, Not(IsEmpty()));
  first.reset();
  for (const pid_t process : left) EXPECT_FALSE(std::filesystem::exists(fmt::format("/proc/{}/exe", process))) << process;
}

TEST(VirtualClusters, ANodeThatDiesIsGoneUntilItsDaemonComesBack) {
  const VirtualCluster cluster({.nodes = 2, .node_timeout_seconds = 4});
  const auto& node = cluster.nodes().back();
  const auto is = [&](const std::string& state) { return cluster.call({"sinfo", "-h", "-n", node, "-o", "%T"}).out.starts_with(state); };
  cluster.kill_node(node);
  EXPECT_TRUE(wait_until([&] { return is("down"); }, 60));
  cluster.start_node(node);
  EXPECT_TRUE(wait_until([&] { return is("idle"); }, 60));
}

TEST(VirtualClusters, ANodeWithANetworkOfItsOwnCanBeCutOff) {
  const VirtualCluster cluster({.nodes = 2, .hosts = true});
  const auto hosts = cluster.call({"srun", "-N2", "hostname"});
  for (const auto& node : cluster.nodes()) EXPECT_THAT(hosts.out, HasSubstr(node));
  // Nobody listens there: refused when the node is reached, no answer otherwise.
  const auto reached = [&] { return cluster.call({"timeout", "2", "bash", "-c", ": >/dev/tcp/$0/9", cluster.nodes().back()}).status == 1; };
  EXPECT_TRUE(reached());
  cluster.cut_off(cluster.nodes().back());
  EXPECT_FALSE(reached());
  cluster.connect(cluster.nodes().back());
  EXPECT_TRUE(wait_until(reached, 10));
}

}  // namespace
}  // namespace duet
