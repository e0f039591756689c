#pragma once
#include <filesystem>
#include <vector>

#include "datasets/import/import.h"
#include "datasets/import/photos/prepared_photo.h"
#include "datasets/import/photos/tree.h"
#include "datasets/import/report.h"

namespace duet {

/// A pool of unlabelled photos from any folders.
struct PhotosOptions {
  std::vector<std::filesystem::path> folders = {};
  PhotoTree::Links links = PhotoTree::Links::inside;
  std::filesystem::path exclude_like = {};  ///< a store; photos that look like one of its photos (any split) are left out. Empty: none
  ImportTarget target = {};
  PhotoPreparation photo = {};
  int threads = 0;  ///< 0: as many as cores

  /// Throws UsageError naming what is out of range.
  void check() const;
};

/// Writes a store of kind pool, split 'train'. A photo's id is its path below the folder it was found in, with extension; where several
/// folders are named, that folder's own name comes first. Where the store has that id already (another tree was imported to it, or names
/// that are no text come out the same), '#' and 16 digits of what the photo shows are added, and the photo is pointed out.
/// JPEG, PNG and WebP files are taken, by content. Left out and listed with the photo they resemble: near-duplicates (perceptual hashes at
/// most kLookAlikeDistance apart) of a photo taken before, of one that the store to append to has, of one in exclude_like.
/// The store is the same for any number of threads. Memory grows by some 40 bytes a photo; one folder's file names are held at a time.
/// Throws as import_chairv2() does; DataError when no photo is left for a new store (one to append to then stays as it is).
ImportReport import_photos(const PhotosOptions& options, const ImportHooks& hooks = {});

}  // namespace duet
