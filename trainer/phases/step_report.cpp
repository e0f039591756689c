#include "trainer/phases/step_report.h"

#include <algorithm>

#include "base/error.h"

namespace duet {

void StepReport::add(Entry entry) {
  DUET_CHECK(std::ranges::find(entries_, entry.quantity, &Entry::quantity) == entries_.end(), "a step reports '{}' twice",
             row_of(entry.quantity).name);
  entries_.push_back(entry);
}

void StepReport::append(const StepReport& part) {
  for (const auto& entry : part.entries_) add(entry);
}

std::vector<double> StepReport::shares() const {
  std::vector<double> shares;
  for (const auto& entry : entries_) {
    if (entry.is_share) shares.push_back(entry.value);
  }
  return shares;
}

StepFigures StepReport::over_ranks(std::span<const double> sums) const {
  StepFigures figures;
  std::size_t share = 0;
  for (const auto& entry : entries_) {
    DUET_CHECK(!entry.is_share || share < sums.size(), "no sum over ranks of '{}'", row_of(entry.quantity).name);
    figures.emplace_back(entry.quantity, entry.is_share ? sums[share++] : entry.value);
  }
  return figures;
}

}  // namespace duet
