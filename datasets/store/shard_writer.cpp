#include <algorithm>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/text.h"
#include "datasets/store/hdf5.h"
#include "datasets/store/sample_checksum.h"
#include "datasets/store/shard.h"
#include "datasets/store/shard_layout.h"

namespace duet {
namespace {

/// A file in memory. HDF5 1.10 crashes in H5Fclose when the disk is full, so it never sees the disk: it lays the file out here, and its
/// bytes are written by us.
class MemoryFile {
 public:
  MemoryFile() {
    const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_fapl_core(access.get(), 1 << 16, false);
    H5Pset_meta_block_size(access.get(), kStructureBlock);
    file_ = Hdf5Handle(H5Fcreate("shard", H5F_ACC_EXCL, H5P_DEFAULT, access.get()), H5Fclose);
    DUET_CHECK(file_.valid(), "HDF5 cannot make a file in memory");
  }

  Hdf5Handle group(const char* name) {
    Hdf5Handle made(H5Gcreate2(file_.get(), name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    DUET_CHECK(made.valid(), "HDF5 cannot make group {}", name);
    return made;
  }

  void attribute(const char* name, hid_t type, const void* value) {
    const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const Hdf5Handle made(H5Acreate2(file_.get(), name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    DUET_CHECK(made.valid() && H5Awrite(made.get(), type, value) >= 0, "HDF5 cannot write attribute {}", name);
  }

  void column(const Hdf5Handle& group, const char* name, hid_t type, std::size_t count, const void* values) {
    const hsize_t extent = count;
    const Hdf5Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose);
    const Hdf5Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_layout(properties.get(), H5D_CONTIGUOUS);
    H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER);
    H5Pset_obj_track_times(properties.get(), false);  // the same samples give the same file
    const Hdf5Handle made(H5Dcreate2(group.get(), name, type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Dclose);
    DUET_CHECK(made.valid() && (count == 0 || H5Dwrite(made.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0),
               "HDF5 cannot write dataset {}", name);
    if (count > 0) first_value_ = std::min<std::int64_t>(first_value_, static_cast<std::int64_t>(H5Dget_offset(made.get())));
  }

  /// The file's bytes; valid as long as this object.
  std::span<const std::byte> bytes() {
    DUET_CHECK(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) >= 0, "HDF5 cannot lay the file out");
    void** memory = nullptr;
    const auto size = H5Fget_file_image(file_.get(), nullptr, 0);
    DUET_CHECK(size > 0 && H5Fget_vfd_handle(file_.get(), H5P_DEFAULT, reinterpret_cast<void**>(&memory)) >= 0, "HDF5 hides its memory");
    return {static_cast<const std::byte*>(*memory), static_cast<std::size_t>(size)};
  }

  /// Where the first dataset's values begin. What the library keeps for itself lies before: it takes one block for that, large enough for
  /// our few datasets.
  std::int64_t first_value() const { return first_value_; }

 private:
  static constexpr hsize_t kStructureBlock = 1 << 14;

  Hdf5Handle file_;
  std::int64_t first_value_ = kMaxStructureBytes;
};

void write_id_column(MemoryFile& file, const Hdf5Handle& group, const std::vector<const std::string*>& ids) {
  std::size_t width = 1;
  for (const auto* id : ids) width = std::max(width, id->size());
  std::vector<char> text(width * ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    std::copy(ids[i]->begin(), ids[i]->end(), text.begin() + static_cast<std::ptrdiff_t>(i * width));
  const Hdf5Handle type(make_id_type(width), H5Tclose);
  file.column(group, "id", type.get(), ids.size(), text.data());
}

void check_id(const std::string& id, const char* what) {
  if (id.empty() || std::ssize(id) > kMaxIdBytes || id.find('\0') != std::string::npos) {
    throw DataError("{} id '{}' has {} bytes; from 1 to {} are allowed, none of them zero.", what, printable(id.substr(0, 80)), id.size(),
                    kMaxIdBytes);
  }
}

}  // namespace

std::int64_t ShardWriter::add_photo(const PhotoRecord& photo) {
  check_id(photo.id, "photo");
  if (photo.width < 1 || photo.height < 1 || photo.width > kMaxPhotoSide || photo.height > kMaxPhotoSide) {
    throw DataError("photo '{}': {} x {} pixels; sides from 1 to {} can be stored.", printable(photo.id), photo.width, photo.height,
                    kMaxPhotoSide);
  }
  const auto size = std::ssize(photo.bytes);
  if (size < 1 || size > kMaxPhotoBytes) {
    throw DataError("photo '{}': {} bytes; from 1 to {} can be stored.", printable(photo.id), size, kMaxPhotoBytes);
  }
  if (format_ == PhotoFormat::raw && size != std::int64_t{3} * photo.width * photo.height) {
    throw DataError("photo '{}': {} bytes are not {} x {} RGB pixels.", printable(photo.id), size, photo.width, photo.height);
  }
  bytes_.insert(bytes_.end(), photo.bytes.begin(), photo.bytes.end());
  const auto width = static_cast<std::uint32_t>(photo.width);
  const auto height = static_cast<std::uint32_t>(photo.height);
  photos_.push_back({photo.id, width, height, photo.hash, bytes_.size(), photo_checksum(photo.bytes, photo.id, width, height, photo.hash)});
  buffered_ += size + static_cast<std::int64_t>(photo.id.size() + sizeof(Photo));
  return photo_count() - 1;
}

void ShardWriter::add_sketch(const std::string& id, std::int64_t photo, const Sketch& points) {
  check_id(id, "sketch");
  check_sketch(points, fmt::format("sketch '{}'", printable(id)));
  DUET_CHECK(photo >= -1 && photo < photo_count(), "photo {} is not in this shard of {}", photo, photo_count());
  const auto begin = points_.size();
  for (const auto& point : points) points_.insert(points_.end(), {point.x, point.y, point.pen});
  sketches_.push_back({id, photo, begin, points_.size(), sketch_checksum(points, id, photo)});
  buffered_ += static_cast<std::int64_t>(points.size() * sizeof(SketchPoint) + id.size() + sizeof(StoredSketch));
}

ShardWriter::Written ShardWriter::write(const std::filesystem::path& file) {
  std::stable_sort(sketches_.begin(), sketches_.end(), [](const auto& a, const auto& b) { return a.photo < b.photo; });

  std::vector<const std::string*> photo_ids, sketch_ids;
  std::vector<std::uint64_t> photo_ends{0}, sketch_ends{0}, photo_sums, sketch_sums, hashes;
  std::vector<std::uint32_t> widths, heights;
  std::vector<std::int64_t> photos_of_sketches;
  for (const auto& photo : photos_) {
    photo_ids.push_back(&photo.id);
    photo_ends.push_back(photo.end);
    photo_sums.push_back(photo.checksum);
    widths.push_back(photo.width);
    heights.push_back(photo.height);
    hashes.push_back(photo.hash);
  }
  std::vector<double> points;
  points.reserve(points_.size());
  for (const auto& sketch : sketches_) {
    sketch_ids.push_back(&sketch.id);
    points.insert(points.end(), points_.begin() + static_cast<std::ptrdiff_t>(sketch.begin),
                  points_.begin() + static_cast<std::ptrdiff_t>(sketch.end));
    sketch_ends.push_back(points.size());
    sketch_sums.push_back(sketch.checksum);
    photos_of_sketches.push_back(sketch.photo);
  }

  const Hdf5Lock lock;
  MemoryFile memory;
  const std::int32_t version = kShardVersion;
  memory.attribute("duet_shard_version", H5T_STD_I32LE, &version);
  const auto format = to_string(format_);
  const Hdf5Handle format_type(make_id_type(format.size()), H5Tclose);
  memory.attribute("photo_format", format_type.get(), format.data());

  const auto photo = memory.group("photo");
  memory.column(photo, "bytes", H5T_STD_U8LE, bytes_.size(), bytes_.data());
  memory.column(photo, "offset", H5T_STD_U64LE, photo_ends.size(), photo_ends.data());
  write_id_column(memory, photo, photo_ids);
  memory.column(photo, "checksum", H5T_STD_U64LE, photo_sums.size(), photo_sums.data());
  memory.column(photo, "width", H5T_STD_U32LE, widths.size(), widths.data());
  memory.column(photo, "height", H5T_STD_U32LE, heights.size(), heights.data());
  memory.column(photo, "hash", H5T_STD_U64LE, hashes.size(), hashes.data());

  const auto sketch = memory.group("sketch");
  memory.column(sketch, "points", H5T_IEEE_F64LE, points.size(), points.data());
  memory.column(sketch, "offset", H5T_STD_U64LE, sketch_ends.size(), sketch_ends.data());
  write_id_column(memory, sketch, sketch_ids);
  memory.column(sketch, "photo", H5T_STD_I64LE, photos_of_sketches.size(), photos_of_sketches.data());
  memory.column(sketch, "checksum", H5T_STD_U64LE, sketch_sums.size(), sketch_sums.data());

  const auto laid_out = memory.bytes();
  AtomicFile out(file);
  out.write(laid_out);
  out.commit();
  const auto structure = laid_out.first(static_cast<std::size_t>(memory.first_value()));
  return {std::ssize(laid_out), checksum(laid_out), {std::ssize(structure), checksum(structure)}};
}

}  // namespace duet
