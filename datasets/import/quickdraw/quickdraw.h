#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

#include "datasets/import/import.h"
#include "datasets/import/report.h"

namespace duet {

/// Quick, Draw! drawings as Google publishes them: one JSON object a line, "drawing" a list of strokes [[x…], [y…], [t…]] (raw) or
/// [[x…], [y…]] (simplified).
struct QuickdrawOptions {
  std::vector<std::filesystem::path> files = {};
  ImportTarget target = {};
  std::int64_t max_drawings = std::numeric_limits<std::int64_t>::max();  ///< of each file
  bool recognized_only = false;                                          ///< only what the game's classifier recognised
};

/// Writes a store of kind strokes. A drawing is scaled so that its longer side is 190 and centred at (128, 128) of the 256 canvas, as the
/// sketches of ChairV2 are (docs/method.md §1.2); times are dropped. Id: "<word>/<key_id>". About one in twenty, by its id, goes to split
/// 'validation', the others to 'train': the same drawing always to the same.
/// Streams: a line is at most 4 MiB; memory grows by at most 48 bytes a drawing, for telling drawings that come twice.
/// A second drawing of a key gets "#" and 16 digits behind its id, and is pointed out.
/// Left out and listed with file and line number: lines that are no drawing, drawings without extent, not recognised, in the store already.
/// Throws as import_chairv2() does; DataError when no drawing is left.
ImportReport import_quickdraw(const QuickdrawOptions& options, const ImportHooks& hooks = {});

}  // namespace duet
