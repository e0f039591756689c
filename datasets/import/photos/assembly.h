#pragma once
#include <filesystem>

#include "base/error.h"
#include "datasets/import/photos/photos.h"
#include "datasets/import/photos/walk.h"

namespace duet {

/// An import of photos dealt out to several processes, on any hosts that see the same folders:
///   import_photo_part(options, {.number = i, .of = 8});   // for i = 1 … 8, in any order, at the same time or not
///   assemble_photo_parts(store);                          // makes them one generation
/// The store then equals, shard for shard, the one that import_photos() makes alone.

/// Writes the part into STORE/parts/<number>-of-<of>; the store itself stays as it is. Decides only what needs no other part's photos:
/// which files are photos, and which look like one of options.exclude_like or, with target.append, of the store's newest generation. What
/// an earlier attempt left of the part is replaced. Throws as import_photos() does, though not for a part without any photo; CannotWrite
/// when another process is at the same part.
ImportReport import_photo_part(const PhotosOptions& options, const WalkShare& part, const ImportHooks& hooks = {});

struct AssembleOptions {
  std::filesystem::path store;
  std::filesystem::path list_file = {};  ///< as ImportTarget's
};

/// Parts are missing, unfinished or being written.
class PartsIncomplete : public InputMissing {
 public:
  using InputMissing::InputMissing;
};

/// Takes the photos of all parts in the order in which one import would have met them, leaves out those that look like one taken before,
/// writes the rest as a generation, and removes the parts. Interrupted at any point, the same call does what is left to do. Parts of an
/// import with another number of parts that never became complete are removed, too. Memory: as an import's; disk: the parts and the new
/// generation, until it is done.
/// Throws PartsIncomplete naming the parts; DataError when parts do not belong together, are damaged, or were compared with another
/// generation than the store's newest, and as import_photos() when no photo is left.
ImportReport assemble_photo_parts(const AssembleOptions& options, const ImportHooks& hooks = {});

}  // namespace duet
