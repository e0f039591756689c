#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "monitoring/metrics/quantities.h"
#include "trainer/report/chart.h"

namespace duet {

/// A run's metrics.jsonl as curves of a few hundred points, whatever the length of the run (neighbouring points are averaged).
///
/// A line is an object with "stage" and "step". What shows up of it:
///   "loss": object of numbers → a curve each, by stage and "phase" (a stage without phases needs none), over the stage's steps;
///   what the table of quantities gives a chart (monitoring/metrics/quantities.h) → a curve each, over the stage's steps;
///   "evaluation": name of weights to metrics, or the metrics themselves → curves of acc@1, acc@10 and mean rank percentile over all steps
///   ("total_step"; "step" where a line has none).
struct RunHistory {
  struct Losses {
    std::string stage, phase;
    std::vector<Curve> curves;
  };
  std::vector<Losses> losses;  ///< in the order in which they began
  struct Figure {
    Quantity quantity;
    std::vector<Curve> curves;  ///< one, or none where no line has it
  };
  std::vector<Figure> figures;  ///< of all quantities with a chart, in the table's order
  std::vector<Curve> acc_1, acc_10, mean_rank_percentile;
  std::vector<std::pair<double, std::string>> stages;  ///< total step of the first line of each stage
  std::int64_t damaged_lines = 0;
};

/// Reads the file line by line. A file that is not there is a run without history; lines that are damaged, and values of other types, are
/// left out.
RunHistory read_history(const std::filesystem::path& metrics_file);

}  // namespace duet
