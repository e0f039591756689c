#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/image/image.h"

namespace duet {

/// How an import brings photos into a store's form.
struct PhotoPreparation {
  int side = 256;                       ///< longest side in pixels; smaller photos stay as they are
  int quality = 90;                     ///< of the JPEG, 1 … 100
  std::uint64_t file_bytes = 64 << 20;  ///< larger files are refused unread
  ImageLimits limits = {};

  /// Throws UsageError naming --side or --quality when they are out of range.
  void check() const;
};

/// A photo as a store keeps it, or why it cannot.
struct PreparedPhoto {
  std::vector<std::byte> jpeg;
  int width = 0;
  int height = 0;
  std::uint64_t hash = 0;  ///< perceptual hash of what the JPEG shows
  std::string fault;       ///< not empty: no usable photo, for this reason
};

/// Reads, decodes, scales, hashes and encodes one file. Never throws for what is wrong with the file. Any thread.
PreparedPhoto prepare_photo(const std::filesystem::path& file, const PhotoPreparation& preparation);

/// Number of threads an import decodes with: `wanted`, or the number of cores when that is 0. Throws UsageError outside 0 … 256.
int import_threads(int wanted);

}  // namespace duet
