#include "trainer/evaluation/retrieval_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/random.h"

namespace duet {
namespace {

constexpr std::array<const char*, 4> kFigures = {"acc@1", "acc@5", "acc@10", "mean_rank_percentile"};
using Figures = std::array<double, kFigures.size()>;

// Sums over the queries of one photo, so that a resample costs one addition a photo.
struct PhotoSums {
  Figures sum{};
  std::int64_t queries = 0;
};

Figures figures_of(std::int64_t rank, std::int64_t gallery) {
  const double percentile = gallery > 1 ? 100.0 * static_cast<double>(gallery - rank) / static_cast<double>(gallery - 1) : 100.0;
  return {rank <= 1 ? 100.0 : 0.0, rank <= 5 ? 100.0 : 0.0, rank <= 10 ? 100.0 : 0.0, percentile};
}

void add(PhotoSums& total, const PhotoSums& part) {
  for (std::size_t figure = 0; figure < total.sum.size(); ++figure) total.sum[figure] += part.sum[figure];
  total.queries += part.queries;
}

double mean(const PhotoSums& sums, std::size_t figure) { return sums.sum[figure] / static_cast<double>(sums.queries); }

// Linear between order statistics, as most libraries take a percentile.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

RetrievalMetrics retrieval_metrics(std::span<const std::int64_t> rank, std::span<const std::int64_t> photo, std::int64_t gallery,
                                   std::uint64_t seed, int resamples) {
  DUET_CHECK(rank.size() == photo.size(), "{} ranks, {} photos", rank.size(), photo.size());
  DUET_CHECK(resamples > 0, "{} resamples", resamples);
  if (rank.empty()) throw UsageError("Nothing to evaluate: there are no queries for the {} gallery photos.", gallery);

  std::map<std::int64_t, PhotoSums> by_photo;
  PhotoSums total;
  for (std::size_t query = 0; query < rank.size(); ++query) {
    DUET_CHECK(rank[query] >= 1 && rank[query] <= gallery, "query {} has rank {} of {}", query, rank[query], gallery);
    const PhotoSums one{figures_of(rank[query], gallery), 1};
    add(by_photo[photo[query]], one);
    add(total, one);
  }
  std::vector<PhotoSums> photos;
  for (const auto& entry : by_photo) photos.push_back(entry.second);

  std::array<std::vector<double>, kFigures.size()> resampled;
  for (int resample = 0; resample < resamples; ++resample) {
    KeyedRandom random(seed, Purpose::bootstrap, static_cast<std::uint64_t>(resample), 0);
    PhotoSums drawn;
    for (std::size_t i = 0; i < photos.size(); ++i) add(drawn, photos[random.below(photos.size())]);
    for (std::size_t figure = 0; figure < resampled.size(); ++figure) resampled[figure].push_back(mean(drawn, figure));
  }
  std::array<Interval, kFigures.size()> interval;
  for (std::size_t figure = 0; figure < resampled.size(); ++figure) {
    std::sort(resampled[figure].begin(), resampled[figure].end());
    interval[figure] = {percentile(resampled[figure], 0.025), percentile(resampled[figure], 0.975)};
  }
  return {.queries = total.queries,
          .gallery = gallery,
          .acc_1 = mean(total, 0),
          .acc_5 = mean(total, 1),
          .acc_10 = mean(total, 2),
          .mean_rank_percentile = mean(total, 3),
          .acc_1_interval = interval[0],
          .acc_5_interval = interval[1],
          .acc_10_interval = interval[2],
          .mean_rank_percentile_interval = interval[3]};
}

Json to_json(const RetrievalMetrics& metrics) {
  auto object = [](const Interval& interval) { return Json{{"low", interval.low}, {"high", interval.high}}; };
  return {{"queries", metrics.queries},
          {"gallery", metrics.gallery},
          {"left_out", metrics.left_out},
          {kFigures[0], metrics.acc_1},
          {kFigures[1], metrics.acc_5},
          {kFigures[2], metrics.acc_10},
          {kFigures[3], metrics.mean_rank_percentile},
          {"interval",
           {{kFigures[0], object(metrics.acc_1_interval)},
            {kFigures[1], object(metrics.acc_5_interval)},
            {kFigures[2], object(metrics.acc_10_interval)},
            {kFigures[3], object(metrics.mean_rank_percentile_interval)}}}};
}

std::string metrics_table(const std::vector<std::pair<std::string, RetrievalMetrics>>& rows) {
  std::size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  auto cell = [](double value, const Interval& interval) {
    return fmt::format("{:>22}", fmt::format("{:.1f} [{:.1f}, {:.1f}]", value, interval.low, interval.high));
  };
  auto table = fmt::format("{:<{}}{:>22}{:>22}{:>22}{:>22}{:>9}{:>9}\n", "", width, "acc@1", "acc@5", "acc@10", "mean rank percentile",
                           "queries", "gallery");
  for (const auto& [name, metrics] : rows) {
    table += fmt::format("{:<{}}{}{}{}{}{:>9}{:>9}\n", name, width, cell(metrics.acc_1, metrics.acc_1_interval),
                         cell(metrics.acc_5, metrics.acc_5_interval), cell(metrics.acc_10, metrics.acc_10_interval),
                         cell(metrics.mean_rank_percentile, metrics.mean_rank_percentile_interval), metrics.queries, metrics.gallery);
  }
  return table;
}

}  // namespace duet
