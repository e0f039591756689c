#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/store/records.h"

namespace duet {

/// The beginning of a shard's file, up to the first dataset's values: all that the HDF5 library itself interprets. HDF5 1.10 crashes on
/// some damaged files, so this is verified before the library sees them. bytes 0: not known,
/// not verified (a shard that other software wrote).
struct ShardStructure {
  std::int64_t bytes = 0;
  std::uint64_t checksum = 0;
};
inline constexpr std::int64_t kMaxStructureBytes = 1 << 20;

/// One shard in the making: collects samples in memory, then writes them in one go as a plain HDF5 file:
///   /photo/bytes uint8 · offset uint64 [photos + 1] · id fixed-length string · checksum uint64 · width, height uint32 · hash uint64
///   /sketch/points float64 (x, y, pen, x, y, pen, …) · offset uint64 [sketches + 1], in values of points · id · photo int64 (in this
///   shard, −1: none) · checksum uint64
/// Every dataset is one-dimensional and contiguous, so that readers can go past the library. A sample's checksum covers its bytes and its
/// entry in the index.
class ShardWriter {
 public:
  explicit ShardWriter(PhotoFormat format) : format_(format) {}

  /// Returns the photo's index in this shard.
  std::int64_t add_photo(const PhotoRecord& photo);
  void add_sketch(const std::string& id, std::int64_t photo, const Sketch& points);

  std::int64_t photo_count() const { return static_cast<std::int64_t>(photos_.size()); }
  std::int64_t sketch_count() const { return static_cast<std::int64_t>(sketches_.size()); }
  std::int64_t buffered_bytes() const { return buffered_; }

  struct Written {
    std::int64_t bytes;
    std::uint64_t checksum;
    ShardStructure structure;
  };

  /// Writes `file` as AtomicFile does (base/atomic_file.h); returns size and checksums of the file. Sketches are put in the order of their
  /// photos, those of one photo in the order in which they came.
  /// Throws CannotWrite naming the file.
  Written write(const std::filesystem::path& file);

 private:
  struct Photo {
    std::string id;
    std::uint32_t width, height;
    std::uint64_t hash, end, checksum;
  };
  struct StoredSketch {
    std::string id;
    std::int64_t photo;
    std::uint64_t begin, end, checksum;  // in values of points_
  };

  PhotoFormat format_;
  std::vector<std::byte> bytes_;
  std::vector<double> points_;
  std::vector<Photo> photos_;
  std::vector<StoredSketch> sketches_;
  std::int64_t buffered_ = 0;
};

/// One immutable shard, opened for reading.
///
/// Reads bypass the HDF5 library (its lock serialises threads): the offset of each contiguous dataset is asked once, then pread() does the
/// rest, for the index too. A dataset that is not contiguous (a shard that other software rewrote chunked or compressed) is read through
/// the library, more slowly, with the same result. HDF5's file locking is off. Safe to use from any number of threads. All values are
/// checked before they are used: the file is untrusted.
class ShardReader {
 public:
  enum class Access { direct_where_possible, library_only };

  /// Throws as throw_cannot_read() does where the file cannot be opened (base/file.h), and DataError naming the file when it is truncated,
  /// no shard, or of a format version this program does not know.
  explicit ShardReader(std::filesystem::path file, const ShardStructure& structure = {}, Access access = Access::direct_where_possible);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  std::int64_t photo_count() const;
  std::int64_t sketch_count() const;
  PhotoFormat photo_format() const;

  /// Whether every dataset is read past the library.
  bool direct() const;

  struct PhotoEntry {
    std::string id;
    int width, height;
    std::uint64_t hash;
    std::int64_t stored_bytes;
  };
  struct SketchEntry {
    std::string id;
    std::int64_t photo;  ///< in this shard, −1: none
    Sketch points;
  };

  /// From the index alone: not verified.
  PhotoEntry photo_entry(std::int64_t index) const;

  /// Replaces `out` by the photo's stored bytes. Throws ChecksumError (file, index, id) when the sample is not what was written.
  PhotoEntry read_photo(std::int64_t index, std::vector<std::byte>& out) const;
  SketchEntry read_sketch(std::int64_t index) const;

  /// First sketch of a photo and one past its last, by bisection of the ordered column /sketch/photo.
  std::pair<std::int64_t, std::int64_t> sketches_of(std::int64_t photo) const;

  /// Blocks of the index, for scans. `count` entries from `first` on.
  std::vector<std::string> photo_ids(std::int64_t first, std::int64_t count) const;
  std::vector<std::string> sketch_ids(std::int64_t first, std::int64_t count) const;
  std::vector<std::uint64_t> photo_hashes(std::int64_t first, std::int64_t count) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace duet
