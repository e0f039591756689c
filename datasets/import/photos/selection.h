#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "datasets/image/similarity_index.h"
#include "datasets/import/fingerprint_set.h"
#include "datasets/import/import.h"
#include "datasets/import/photos/candidates.h"
#include "datasets/import/photos/id_journal.h"
#include "datasets/import/report.h"
#include "datasets/store/writer.h"

namespace duet {

/// Counts a candidate in a report and lists it there if it is left out. `excluded_by`: name of the store of --exclude-like.
void report_candidate(ImportReport& report, const Candidate& candidate, const std::string& excluded_by);

/// The rule by which an import of photos selects, one candidate after the other in the order of PhotoWalk: a photo is kept unless one kept
/// before it looks the same. Writes the store and the report. Memory: 20 bytes a photo kept,
/// and 11 to 22 for its id and for each of a store to append to.
/// One thread.
class PhotoSelection {
 public:
  PhotoSelection(ImportTarget target, std::string excluded_by, StoreWriter writer);

  void take(const Candidate& candidate);
  std::int64_t files() const { return report_.counted("files"); }
  bool empty() const { return index_.size() == 0; }  ///< no photo was kept

  /// Makes the store's generation; `provenance` comes before the report in its manifest. Where no photo was kept, a store to append to
  /// stays as it is, and DataError naming `subject` is thrown for a new one.
  ImportReport commit(Json provenance, const std::string& subject);

 private:
  std::string id_for(const Candidate& candidate);

  ImportTarget target_;
  std::string excluded_by_;
  ImportReport report_;
  StoreWriter writer_;
  SimilarityIndex index_;  // of those kept
  IdJournal journal_;      // their ids
  FingerprintSet ids_;     // these, and those of the store to append to
};

}  // namespace duet
