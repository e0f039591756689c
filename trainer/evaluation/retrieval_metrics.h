#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace duet {

/// A 95 % interval, percent.
struct Interval {
  double low = 0;
  double high = 0;
};

/// The field's figures (docs/method.md §9.1, §9.3), percent, never without the counts that they were taken over.
struct RetrievalMetrics {
  std::int64_t queries = 0;
  std::int64_t gallery = 0;
  std::int64_t left_out = 0;  ///< photos and queries that could not be read; they are counted in no figure
  double acc_1 = 0, acc_5 = 0, acc_10 = 0;
  double mean_rank_percentile = 0;  ///< 100 · mean((gallery − rank) / (gallery − 1)); chance is 50. 100 by definition for a gallery of one.
  Interval acc_1_interval, acc_5_interval, acc_10_interval, mean_rank_percentile_interval;
};

/// Figures from each query's rank (1 = first). photo: each query's true photo; its queries are resampled together, since sketches of one
/// photo succeed and fail together. The interval is the bootstrap's 2.5 and 97.5 percentiles, keyed by `seed`: the same ranks, the same
/// interval. Throws UsageError when there are no queries.
RetrievalMetrics retrieval_metrics(std::span<const std::int64_t> rank, std::span<const std::int64_t> photo, std::int64_t gallery,
                                   std::uint64_t seed, int resamples = 2000);

/// {"queries": 323, "gallery": 100, "left_out": 0, "acc@1": …, "acc@5": …, "acc@10": …, "mean_rank_percentile": …, "interval": {"acc@1":
/// {"low": …, "high": …}, …}}
Json to_json(const RetrievalMetrics& metrics);

/// A table for people, one line a row, intervals in brackets, counts in the last columns.
std::string metrics_table(const std::vector<std::pair<std::string, RetrievalMetrics>>& rows);

}  // namespace duet
