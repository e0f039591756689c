#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace duet {

enum class MetricKind { counter, gauge, histogram };

/// Which ranks count a metric; elsewhere it keeps its first value, or is not there.
enum class MetricPlace { every_rank, rank_zero, gpus };

/// One row of the table of all metrics.
struct MetricRow {
  std::string_view name;
  MetricKind kind;
  MetricPlace place;
  std::vector<std::string_view> labels;  ///< of "phase", "stage", "network", beside run and rank, which all have
  std::string_view help;                 ///< with unit; ends in a full stop
  std::vector<double> bounds = {};       ///< of a histogram's buckets
};

/// Every metric there is: the registry knows no others, docs/monitoring.md shows the table, and a test sees each of them move in a real
/// training. Those of what a step reports come from the table of quantities (quantities.h). Counters are the rank's share, so that their sum over ranks is the run's; gauges of a step are the value over all ranks.
std::span<const MetricRow> metric_catalogue();

/// Throws InternalError when there is no metric of that name.
const MetricRow& metric_row(std::string_view name);

/// The table as Markdown, for docs/monitoring.md.
std::string metrics_markdown();

}  // namespace duet
