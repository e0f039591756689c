#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/image/similarity_index.h"
#include "datasets/import/photos/ordered_workers.h"
#include "datasets/import/photos/prepared_photo.h"
#include "datasets/import/photos/walk.h"
#include "datasets/store/store.h"

namespace duet {

/// What one file comes to by itself, before it is compared with the others of the same import.
struct Candidate {
  enum class Kind : std::uint8_t { photo, passed_over, unreadable, excluded, present };

  Kind kind = Kind::photo;
  std::uint32_t folder = 0;   ///< as PhotoWalk::File
  std::string name;           ///< as PhotoWalk::File
  std::uint64_t hash = 0;     ///< of a photo, and of one that is present
  std::uint8_t distance = 0;  ///< present: from the store's photo that it looks like
  std::string detail;         ///< why, or what it looks like
  int width = 0;              ///< of a photo
  int height = 0;
  std::vector<std::byte> jpeg = {};
};

/// A photo's id in the store: its name, made fit to be shown, with room for an addition. Different names may come out the same.
std::string photo_id(const Candidate& candidate);

/// The store of --exclude-like; null when none is named. Throws as Store::open() does, and UsageError when it holds no photos.
std::shared_ptr<const Store> open_exclude_like(const std::filesystem::path& store);

/// Everything that an import finds, in the order of PhotoWalk: prepared, and compared with the photos of stores that are there already, by
/// several threads. One thread asks.
class PhotoCandidates {
 public:
  struct Options {
    std::vector<std::filesystem::path> folders;
    PhotoTree::Links links;
    WalkShare share;
    PhotoPreparation photo;
    int threads;
    std::shared_ptr<const Store> exclude_like;  ///< photos that look like one of it are `excluded`; may be null
    std::shared_ptr<const Store> existing;      ///< photos that look like one of it are `present`; may be null
  };

  /// Throws InputMissing when one of the folders is none.
  explicit PhotoCandidates(const Options& options);

  std::optional<Candidate> next();

 private:
  /// The photos of a store that is there, by their looks.
  struct Looks {
    explicit Looks(const Store& store);
    StoreView view;
    SimilarityIndex index;
  };

  Candidate judge(const PhotoWalk::File& file, PreparedPhoto photo) const;  ///< any thread

  PhotoWalk walk_;
  bool more_ = true;
  std::optional<Looks> excluded_, existing_;
  OrderedWorkers<PhotoWalk::File, Candidate> workers_;  // last: its threads end first
};

}  // namespace duet
