#pragma once
#include <span>
#include <utility>
#include <vector>

#include "monitoring/metrics/quantities.h"

namespace duet {

/// What a step was like, over all ranks.
using StepFigures = std::vector<std::pair<Quantity, double>>;

/// What one rank reports of a step. Quantities and their order are the same on all ranks and in all steps of a phase.
/// Whether a value is a share is said where it is reported: a loss may be a rank's part of a sum in one phase, and computed from gathered
/// rows by every rank in another.
class StepReport {
 public:
  /// This rank's share: the sum over ranks is the figure. Throws InternalError when the quantity is reported already, as does same().
  void share(Quantity quantity, double value) { add({quantity, value, /*is_share=*/true}); }
  /// A figure that every rank has.
  void same(Quantity quantity, double value) { add({quantity, value, /*is_share=*/false}); }
  /// All that another part of the step reports.
  void append(const StepReport& part);

  /// The shares, to be summed over ranks.
  std::vector<double> shares() const;
  /// In the order of the report. `sums`: the shares' sums over ranks; what follows them is passed over.
  StepFigures over_ranks(std::span<const double> sums) const;

 private:
  struct Entry {
    Quantity quantity;
    double value;
    bool is_share;
  };
  void add(Entry entry);

  std::vector<Entry> entries_;
};

}  // namespace duet
