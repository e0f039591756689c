#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/import/canvas.h"
#include "datasets/import/import.h"
#include "datasets/import/photos/prepared_photo.h"
#include "datasets/import/report.h"

namespace duet {

/// Pairs in the form in which SketchX gives out ChairV2 and ShoeV2: photos <photo>.png (or .jpg, .jpeg, .webp) in one folder or several,
/// and one pickle {"/train/<photo>_<n>": float64 [N, 3]} of x, y on a 256 canvas and pen (1 on the last point of a stroke).
struct Chairv2Options {
  std::vector<std::filesystem::path> photos = {};  ///< folders
  std::filesystem::path coordinates = {};
  ImportTarget target = {};
  PhotoPreparation photo = {.quality = 95};
  SourceCanvas canvas = {};  ///< of the coordinates
  int threads = 0;           ///< 0: as many as cores
};

/// Writes a store of pairs. A key is cut at its last underscore; its first part is the split ('train', 'test', 'val' or 'validation').
/// Where the source has no validation part, assign_validation() makes one of the training photos that have a file and a usable sketch.
/// Photos are stored in the order of their names, their sketches in the order of the file; a sketch's id is the last part of its key.
/// Left out and listed: keys of another form, arrays that are no sketch (wrong shape, empty, NaN, without extent …), sketches without
/// photo, photos without sketch or that cannot be read, sketches of another split than
/// their photo (test before validation before training), photos that the store has already.
/// Where most sketches look like those of another canvas than options.canvas says, it is DataError (a remark where the user said which it
/// is). Pointed out: sketches that reach beyond the canvas, photos of different splits, or of the same, that look alike.
/// Throws InputMissing, UsageError, CannotCreate, CannotWrite, Interrupted, and DataError when the pickle is damaged or no pair is left;
/// then there is no store, or the store as it was.
ImportReport import_chairv2(const Chairv2Options& options, const ImportHooks& hooks = {});

/// What is known of a release that uses this form: sketches and photos of its training and test parts.
struct KnownRelease {
  const char* name;
  std::int64_t train_sketches, test_sketches, train_photos, test_photos;
};

/// Says in a sentence which known release has these counts of keys (the validation part counts as training), whole or its training or test
/// part alone, or that none has.
std::string compare_with_known_releases(const KnownRelease& found);

}  // namespace duet
