#include "datasets/import/photos/photos.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "datasets/import/photos/candidates.h"
#include "datasets/import/photos/selection.h"
#include "datasets/import/photos/walk.h"
#include "datasets/store/folder.h"
#include "datasets/store/store.h"

namespace duet {

void PhotosOptions::check() const {
  photo.check();
  if (folders.empty()) throw UsageError("no folder of photos is named.");
}

ImportReport import_photos(const PhotosOptions& options, const ImportHooks& hooks) {
  options.check();
  std::error_code ignored;
  if (const auto parts = options.target.store / kPartsFolder; std::filesystem::exists(parts, ignored))
    throw CannotCreate("{}: parts of an import lie there. `duet store assemble {}` makes a generation of them; or remove that folder.",
                       parts.string(), options.target.store.string());
  const auto total = PhotoWalk::count(options.folders, options.links);
  PhotoSelection selection(options.target, options.exclude_like.filename().string(),
                           open_target(options.target, StoreKind::pool, {.photo_side = options.photo.side}));
  PhotoCandidates candidates({.folders = options.folders,
                              .links = options.links,
                              .share = {},
                              .photo = options.photo,
                              .threads = options.threads,
                              .exclude_like = open_exclude_like(options.exclude_like),
                              .existing = options.target.append ? Store::open(options.target.store) : nullptr});
  while (const auto candidate = candidates.next()) {
    selection.take(*candidate);
    report_progress(hooks, options.target, selection.files(), std::max(total, selection.files()));
  }
  std::vector<std::string> folders;
  for (const auto& folder : options.folders) folders.push_back(std::filesystem::canonical(folder).filename().string());
  return selection.commit({{"source", "photos"},
                           {"folders", folders},
                           {"exclude_like", options.exclude_like.filename().string()},
                           {"quality", options.photo.quality}},
                          options.folders.front().string());
}

}  // namespace duet
