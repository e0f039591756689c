#include "monitoring/metrics/catalogue.h"

#include <gmock/gmock.h>

#include <set>

#include "base/file.h"
#include "monitoring/metrics/metrics.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(Catalogue, KeepsTheRulesOfNames) {
  std::set<std::string_view> names;
  for (const auto& row : metric_catalogue()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_TRUE(row.name.starts_with("duet_")) << row.name;
    EXPECT_EQ(row.name.ends_with("_total"), row.kind == MetricKind::counter) << row.name;
    EXPECT_EQ(row.bounds.empty(), row.kind != MetricKind::histogram) << row.name;
    EXPECT_TRUE(row.help.ends_with(".")) << row.name;
    for (const auto label : row.labels) EXPECT_THAT(label, testing::AnyOf("phase", "stage", "network")) << row.name;
  }
}

TEST(Catalogue, DocumentationHasTheTableAsItIs) {
  EXPECT_THAT(read_file(DOCS "/monitoring.md"), HasSubstr(metrics_markdown())) << "docs/monitoring.md is to hold this table:\n"
                                                                               << metrics_markdown();
}

}  // namespace
}  // namespace duet
