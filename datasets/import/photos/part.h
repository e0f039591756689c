#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "datasets/import/line_reader.h"
#include "datasets/import/photos/candidates.h"
#include "datasets/store/store.h"
#include "datasets/store/writer.h"

namespace duet {

/// What one part of an import left on disk. Its folder, STORE/parts/2-of-8:
///   photos/            a store with the photos that it found, in the order of PhotoWalk; absent when it found none
///   candidates.jsonl   one line for each candidate, photo or not, in that order
///   part.json          written last: without it the part is unfinished
struct PhotoPart {
  int number = 1;  ///< from 1
  int of = 1;
  Json settings;  ///< of the import, all that must be equal for parts of one import
  std::int64_t photos = 0;
  std::int64_t candidates = 0;
  std::uint64_t checksum = 0;  ///< of candidates.jsonl
};

/// Nothing when the part is unfinished (or not there). Throws DataError when part.json is damaged.
std::optional<PhotoPart> read_part(const std::filesystem::path& folder);

/// Writes a part into a folder that exists; whatever an attempt before left there goes first. Throws as StoreWriter does. One thread.
class PhotoPartWriter {
 public:
  /// `part`: number, of and settings.
  PhotoPartWriter(std::filesystem::path folder, PhotoPart part, const StoreOptions& options);

  void add(const Candidate& candidate);

  /// The part is finished once this returns.
  void commit();

 private:
  std::filesystem::path folder_;
  PhotoPart part_;
  StoreOptions options_;
  std::optional<StoreWriter> writer_;  // from the first photo on
  std::ofstream lines_;
};

/// Reads a finished part, one candidate after the other. Every byte is checked: throws DataError, or
/// InputMissing when a file is gone, naming it. One thread.
class PhotoPartReader {
 public:
  PhotoPartReader(std::filesystem::path folder, PhotoPart part);

  /// The candidate at hand, without the bytes of its photo; null once all have been taken.
  const Candidate* head() const { return head_ ? &*head_ : nullptr; }
  /// The candidate at hand, and on to the next.
  Candidate take();

 private:
  void advance();
  Candidate parse(const std::string& line) const;

  std::filesystem::path file_;
  PhotoPart part_;
  LineReader lines_;
  StoreView photos_;
  std::int64_t candidates_read_ = 0, photos_read_ = 0;
  std::optional<Candidate> head_;
};

}  // namespace duet
