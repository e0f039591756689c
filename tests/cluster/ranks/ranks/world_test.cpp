#include "cluster/ranks/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <unistd.h>

#include <set>

#include "cluster/communicate/mpi_communicator.h"
#include "tests/rank_world.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(World, RanksOfOneHostAreCountedOnce) {
  auto& world = test_world();
  EXPECT_EQ(world.local_size(), world.size());
  const auto ranks = world.control().all_gather_strings(fmt::format("{} {} {}", world.rank(), world.local_rank(), world.host()));
  EXPECT_EQ(std::set<std::string>(ranks.begin(), ranks.end()).size(), static_cast<std::size_t>(world.size()));
  for (int rank = 0; rank < world.size(); ++rank) EXPECT_EQ(ranks[rank], fmt::format("{} {} {}", rank, rank, world.host()));
}

TEST(WorldOfSeveralRanks, ALostRankEndsInAnErrorThatNamesOperationAndRank) {
  auto& world = test_world();
  // The last rank stays away from the second operation of a communicator whose time-out is short.
  MPI_Win window = MPI_WIN_NULL;
  Pulse* own = nullptr;
  MPI_Win_allocate_shared(sizeof(Pulse), 1, MPI_INFO_NULL, MPI_COMM_WORLD, &own, &window);
  new (own) Pulse;
  world.control().barrier();
  std::vector<LocalPeer> peers;
  for (int rank = 0; rank < world.size(); ++rank) {
    MPI_Aint bytes = 0;
    int unit = 0;
    Pulse* pulse = nullptr;
    MPI_Win_shared_query(window, rank, &bytes, &unit, &pulse);
    peers.push_back({.rank = rank, .process = ::getpid(), .pulse = pulse});
  }
  auto* communicator = new MpiCommunicator(MPI_COMM_WORLD, "trial", 0.3, own, peers);  // kept: its request stays open for good
  communicator->barrier();
  if (world.rank() != world.size() - 1) {
    std::vector<float> values(25);
    std::string message;
    try {
      communicator->all_reduce(std::span(values));
    } catch (const RankLost& error) {
      message = error.what();
    }
    EXPECT_THAT(message, AllOf(HasSubstr("all_reduce number 2 on 'trial' (100 bytes)"), HasSubstr("within 0.3 s"),
                               HasSubstr(fmt::format("Missing: rank {} (", world.size() - 1)), HasSubstr("at number 1")));
    EXPECT_THROW(communicator->barrier(), RankLost) << "a communicator that failed must not be used on";
  } else {
    new std::vector<float>(25);
  }
  world.control().barrier();
}

}  // namespace
}  // namespace duet
