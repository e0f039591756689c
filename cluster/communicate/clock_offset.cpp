#include "cluster/communicate/clock_offset.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace duet {
namespace {

// The first rounds are slow where ranks come one after another; some tens are enough on a busy host, too.
constexpr int kRounds = 64;

struct Round {
  std::int64_t entered, left;
};

}  // namespace

ClockReading measure_clock(Communicator& communicator, const std::function<std::int64_t()>& nanoseconds) {
  const auto ranks = communicator.size();
  if (ranks == 1) return {.at_nanoseconds = nanoseconds()};
  std::vector<Round> own(kRounds);
  std::vector<std::int64_t> unused(static_cast<std::size_t>(ranks));
  for (auto& round : own) {
    round.entered = nanoseconds();
    communicator.all_gather(&round.entered, unused.data(), 1, DataType::int64);
    round.left = nanoseconds();
  }
  auto of_rank_0 = own;
  communicator.broadcast(of_rank_0.data(), 2 * kRounds, DataType::int64, 0);
  if (communicator.rank() == 0) return {.at_nanoseconds = own.back().left};
  auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < kRounds; ++i) {
    const auto at = static_cast<std::size_t>(i);
    least = std::max(least, of_rank_0[at].entered - own[at].left);
    most = std::min(most, of_rank_0[at].left - own[at].entered);
  }
  return {.at_nanoseconds = own.back().left,
          .offset_nanoseconds = least + (most - least) / 2,
          .uncertainty_nanoseconds = (most - least + 1) / 2};
}

}  // namespace duet
