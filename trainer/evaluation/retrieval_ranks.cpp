#include "trainer/evaluation/retrieval_ranks.h"

#include <algorithm>

#include "base/error.h"

namespace duet {

std::int64_t nearest_count(std::int64_t gallery) { return std::min<std::int64_t>(10, gallery); }

Ranking rank_gallery(const Tensor& query, const Tensor& gallery, std::span<const std::int64_t> truth) {
  DUET_CHECK(query.size(0) == std::ssize(truth), "{} queries, {} true photos", query.size(0), truth.size());
  at::NoGradGuard no_gradients;
  const auto photos = gallery.size(0);
  const auto rows = std::max<std::int64_t>(1, (8 << 20) / std::max<std::int64_t>(1, photos));  // 8 Mi distances at a time
  constexpr std::int64_t kFromDifferences = 2;  // cdist must not switch to inner products: rounding would split ties

  Ranking ranking;
  for (std::int64_t first = 0; first < query.size(0); first += rows) {
    const auto last = std::min(first + rows, query.size(0));
    const auto distance = at::cdist(query.slice(0, first, last), gallery, 2.0, kFromDifferences);
    auto true_photo = at::empty({last - first, 1}, at::kLong);
    std::copy(truth.begin() + first, truth.begin() + last, true_photo.data_ptr<std::int64_t>());
    const auto rank = (distance <= distance.gather(1, true_photo.to(distance.device()))).sum(1).to(at::kCPU).contiguous();
    const auto nearest = std::get<1>(distance.topk(nearest_count(photos), 1, /*largest=*/false)).to(at::kCPU).contiguous();
    ranking.rank.insert(ranking.rank.end(), rank.data_ptr<std::int64_t>(), rank.data_ptr<std::int64_t>() + rank.numel());
    ranking.nearest.insert(ranking.nearest.end(), nearest.data_ptr<std::int64_t>(), nearest.data_ptr<std::int64_t>() + nearest.numel());
  }
  return ranking;
}

}  // namespace duet
