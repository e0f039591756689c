#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace duet {

/// An encoded image, shown as it is: JPEG, PNG, WebP or SVG by content. An empty one is shown as a blank field.
struct ReportImage {
  std::vector<std::byte> bytes;
  std::string caption;
};

/// One line of the table of results. metrics: as to_json(RetrievalMetrics) makes it.
struct ReportResult {
  std::string stage;    ///< "initial weights", "supervised", "joint", …
  std::string weights;  ///< "last", "average", "best", or empty
  Json metrics;
};

/// A query and its ten nearest photos. truth: position of the true photo in `nearest`, −1 when it is not among them; rank: its rank.
struct ReportQuery {
  ReportImage query;
  std::vector<ReportImage> nearest;
  ReportImage true_photo;  ///< shown at the end of the line when it is not among the nearest
  int truth = -1;
  std::int64_t rank = 0;
};

/// A photo, what people drew (may be empty), what the generator drew before and after the joint stage (either may be empty).
struct ReportSketch {
  ReportImage photo;
  std::vector<ReportImage> human, before, after;
};

struct ReportData {
  std::string title;    ///< the run's name
  std::string summary;  ///< a sentence or two under the title; may be empty
  std::vector<ReportResult> results;
  std::vector<ReportQuery> queries;  ///< any order: shown worst rank first
  std::int64_t gallery = 0;          ///< of the queries
  std::vector<ReportSketch> sketches;
};

/// The report as one self-contained page: no network, no script; light and dark by the reader's preference; readable at a phone's width.
///
/// From the run's folder it takes config.cfg, environment.json and metrics.jsonl, as far as they are there (run_history.h says what lines
/// of metrics.jsonl show up). Everything is escaped. Throws InputMissing when the folder does not exist, DataError when metrics of a result
/// are none.
std::string render_report(const std::filesystem::path& run_folder, const ReportData& data);

/// render_report() into RUN/report.html, atomically.
void write_report(const std::filesystem::path& run_folder, const ReportData& data);

}  // namespace duet
