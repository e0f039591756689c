#include "trainer/phases/step_report.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::Pair;

StepReport report_of_a_rank() {
  StepReport report;
  report.same(Quantity::learning_rate, 0.5);
  report.share(Quantity::total, 1);
  report.same(Quantity::gradient_norm, 8);
  report.share(Quantity::reconstruction, 2);
  return report;
}

TEST(StepReport, SumsSharesAndTakesOnceWhatAllRanksHave) {
  const auto report = report_of_a_rank();
  EXPECT_THAT(report.shares(), ElementsAre(1, 2));
  EXPECT_THAT(report.over_ranks(std::vector<double>{3, 6, /*something else's*/ 1}),
              ElementsAre(Pair(Quantity::learning_rate, 0.5), Pair(Quantity::total, 3), Pair(Quantity::gradient_norm, 8),
                          Pair(Quantity::reconstruction, 6)));
}

TEST(StepReport, TakesInWhatAPartOfTheStepReports) {
  StepReport report;
  report.share(Quantity::discriminator, 4);
  report.append(report_of_a_rank());
  EXPECT_THAT(report.shares(), ElementsAre(4, 1, 2));
}

TEST(StepReport, HoldsAQuantityOnce) {
  auto report = report_of_a_rank();
  EXPECT_THROW(report.same(Quantity::total, 1), InternalError);
  EXPECT_THROW(report.append(report_of_a_rank()), InternalError);
}

TEST(StepReport, NeedsASumForEachShare) { EXPECT_THROW(report_of_a_rank().over_ranks(std::vector<double>{3}), InternalError); }

}  // namespace
}  // namespace duet
