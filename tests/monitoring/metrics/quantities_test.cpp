#include "monitoring/metrics/quantities.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "monitoring/metrics/catalogue.h"

namespace duet {
namespace {

// In one line of metrics.jsonl a second one would hide the first.
TEST(Quantities, HaveANameOfTheirOwn) {
  std::set<std::string_view> names{"stage", "phase", "step", "total_step", "step_seconds", "time", "loss"};
  for (const auto& row : kQuantities) EXPECT_TRUE(names.insert(row.name).second) << row.name;
}

// Else two of them would set one gauge in turn.
TEST(Quantities, HaveASeriesOfTheirOwn) {
  std::set<std::pair<std::string_view, QuantitySeries>> series;
  for (const auto& row : kQuantities) {
    if (row.metric.name.empty()) continue;
    EXPECT_TRUE(series.emplace(row.metric.name, row.metric.series).second) << row.name;
  }
}

TEST(Quantities, OfOneMetricAgreeWithItsRowInTheCatalogue) {
  const std::map<QuantitySeries, std::vector<std::string_view>> labels{{QuantitySeries::of_run, {}},
                                                                       {QuantitySeries::of_stage, {"phase", "stage"}},
                                                                       {QuantitySeries::of_own_network, {"network", "phase"}},
                                                                       {QuantitySeries::of_discriminator, {"network", "phase"}}};
  for (const auto& row : kQuantities) {
    if (row.metric.name.empty()) continue;
    const auto& found = metric_row(row.metric.name);
    EXPECT_EQ(found.kind, MetricKind::gauge) << row.name;
    EXPECT_EQ(found.labels, labels.at(row.metric.series)) << row.name;
    EXPECT_EQ(found.help, row.metric.help) << row.name;
  }
}

}  // namespace
}  // namespace duet
