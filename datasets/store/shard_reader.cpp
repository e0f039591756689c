#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/checksum.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/store/hdf5.h"
#include "datasets/store/sample_checksum.h"
#include "datasets/store/shard.h"
#include "datasets/store/shard_layout.h"

namespace duet {
namespace {

Descriptor open_for_reading(const std::filesystem::path& file) {
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.valid()) throw_cannot_read(file, errno);
  return descriptor;
}

constexpr std::uint64_t kMaxChunkBytes = 256 << 20;

/// One dataset. `dataset` and `type` are kept only where the library is needed for reading.
struct Column {
  std::string name;
  std::uint64_t count = 0;
  std::size_t width = 0;    // bytes of a value
  std::uint64_t place = 0;  // in the file, where read directly
  Hdf5Handle dataset, type;
};

}  // namespace

struct ShardReader::Parts {
  Parts(std::filesystem::path path, const ShardStructure& structure, Access wanted)
      : file(std::move(path)), access(wanted), descriptor(open_for_reading(file)) {
    struct stat status {};
    if (::fstat(descriptor.value(), &status) != 0) throw_cannot_read(file, errno);
    if (!S_ISREG(status.st_mode)) throw InputMissing("{}: is not a file.", file.string());
    size = static_cast<std::uint64_t>(status.st_size);
    check_structure(structure);
    const Hdf5Lock lock;
    try {
      open_columns();
    } catch (...) {
      close_library();
      throw;
    }
    if (direct()) close_library();
  }

  ~Parts() {
    const Hdf5Lock lock;
    close_library();
  }

  void check_structure(const ShardStructure& structure) const {
    std::vector<std::byte> head(static_cast<std::size_t>(std::clamp<std::int64_t>(structure.bytes, 0, kMaxStructureBytes)));
    if (head.empty()) return;
    const auto got = ::pread(descriptor.value(), head.data(), head.size(), 0);
    if (got < 0) throw_cannot_read(file, errno);
    if (got != std::ssize(head) || checksum(head) != structure.checksum) {
      throw DataError("{}: its first {} bytes, which say where everything lies, are damaged: no sample of it can be read. {}",
                      file.string(), head.size(), advice());
    }
  }

  void open_columns() {
    const Hdf5Handle properties(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(properties.get(), false, true);
    errno = 0;
    library = Hdf5Handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, properties.get()), H5Fclose);
    if (!library.valid()) {
      // The library opens the file anew and does not say why it failed; where that was a limit of the machine, the file is not to blame.
      if (errno == EMFILE || errno == ENFILE) throw_cannot_read(file, errno);
      const auto again = open_for_reading(file);
      throw DataError("{}: is no HDF5 file, or was cut off or damaged. {}", file.string(), advice());
    }
    read_attributes();
    bytes = column("photo", "bytes", H5T_STD_U8LE);
    photo_offset = column("photo", "offset", H5T_STD_U64LE);
    photo_id = column("photo", "id", -1);
    photo_sum = column("photo", "checksum", H5T_STD_U64LE);
    width = column("photo", "width", H5T_STD_U32LE);
    height = column("photo", "height", H5T_STD_U32LE);
    hash = column("photo", "hash", H5T_STD_U64LE);
    points = column("sketch", "points", H5T_IEEE_F64LE);
    sketch_offset = column("sketch", "offset", H5T_STD_U64LE);
    sketch_id = column("sketch", "id", -1);
    sketch_photo = column("sketch", "photo", H5T_STD_I64LE);
    sketch_sum = column("sketch", "checksum", H5T_STD_U64LE);
    photos = photo_sum.count;
    sketches = sketch_sum.count;
    for (const auto* each : {&photo_id, &width, &height, &hash}) check_count(*each, photos);
    for (const auto* each : {&sketch_id, &sketch_photo}) check_count(*each, sketches);
    check_count(photo_offset, photos + 1);
    check_count(sketch_offset, sketches + 1);
  }

  void read_attributes() {
    std::int32_t version = 0;
    const Hdf5Handle attribute(H5Aopen(library.get(), "duet_shard_version", H5P_DEFAULT), H5Aclose);
    if (!attribute.valid() || !is_scalar(attribute) || H5Aread(attribute.get(), H5T_NATIVE_INT32, &version) < 0) {
      throw DataError("{}: is an HDF5 file but no shard of a store.", file.string());
    }
    if (version != kShardVersion) {
      throw DataError("{}: has format version {}, this program reads {}. Use the program that wrote it, or import anew.", file.string(),
                      version, kShardVersion);
    }
    const Hdf5Handle named(H5Aopen(library.get(), "photo_format", H5P_DEFAULT), H5Aclose);
    const Hdf5Handle stored(named.valid() ? H5Aget_type(named.get()) : -1, H5Tclose);
    if (!stored.valid() || !is_scalar(named) || !is_fixed_text(stored, 16))
      throw DataError("{}: 'photo_format' is missing or of the wrong type.", file.string());
    std::string text(H5Tget_size(stored.get()), '\0');
    if (H5Aread(named.get(), stored.get(), text.data()) < 0) throw DataError("{}: 'photo_format' cannot be read.", file.string());
    format = photo_format_from(text.c_str(), file.string());
  }

  static bool is_scalar(const Hdf5Handle& attribute) {
    const Hdf5Handle space(H5Aget_space(attribute.get()), H5Sclose);
    return space.valid() && H5Sget_simple_extent_npoints(space.get()) == 1;
  }

  static bool is_fixed_text(const Hdf5Handle& stored, std::int64_t limit) {
    return H5Tget_class(stored.get()) == H5T_STRING && H5Tis_variable_str(stored.get()) == 0 &&
           static_cast<std::int64_t>(H5Tget_size(stored.get())) <= limit && H5Tget_size(stored.get()) > 0;
  }

  /// Links that lead elsewhere (soft, or into other files) are not followed.
  void check_own(hid_t where, const char* name, const std::string& full) const {
    H5L_info_t info{};
    if (H5Lget_info(where, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD) {
      throw DataError("{}: {} is missing. {}", file.string(), full, advice());
    }
  }

  /// `expected`: the stored type; −1 for ids.
  Column column(const char* group, const char* name, hid_t expected) {
    Column made;
    made.name = fmt::format("/{}/{}", group, name);
    check_own(library.get(), group, fmt::format("/{}", group));
    const Hdf5Handle parent(H5Gopen2(library.get(), group, H5P_DEFAULT), H5Gclose);
    if (!parent.valid()) throw DataError("{}: /{} is no group. {}", file.string(), group, advice());
    check_own(parent.get(), name, made.name);
    made.dataset = Hdf5Handle(H5Dopen2(parent.get(), name, H5P_DEFAULT), H5Dclose);
    if (!made.dataset.valid()) throw DataError("{}: {} is no dataset. {}", file.string(), made.name, advice());

    made.type = Hdf5Handle(H5Dget_type(made.dataset.get()), H5Tclose);
    const bool right_type =
        made.type.valid() && (expected < 0 ? is_fixed_text(made.type, kMaxIdBytes) : H5Tequal(made.type.get(), expected) > 0);
    if (!right_type) throw DataError("{}: {} has the wrong type. {}", file.string(), made.name, advice());
    made.width = H5Tget_size(made.type.get());

    const Hdf5Handle space(H5Dget_space(made.dataset.get()), H5Sclose);
    hsize_t extent = 0;
    if (!space.valid() || H5Sget_simple_extent_ndims(space.get()) != 1 || H5Sget_simple_extent_dims(space.get(), &extent, nullptr) != 1) {
      throw DataError("{}: {} is not one-dimensional. {}", file.string(), made.name, advice());
    }
    made.count = extent;

    const Hdf5Handle properties(H5Dget_create_plist(made.dataset.get()), H5Pclose);
    const auto layout = properties.valid() ? H5Pget_layout(properties.get()) : H5D_LAYOUT_ERROR;
    if ((layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT) || H5Pget_external_count(properties.get()) > 0) {
      throw DataError("{}: {} keeps its values outside the file. {}", file.string(), made.name, advice());
    }
    hsize_t chunk = 0;  // the library holds a whole one in memory
    if (layout == H5D_CHUNKED && (H5Pget_chunk(properties.get(), 1, &chunk) != 1 || chunk > kMaxChunkBytes / made.width)) {
      throw DataError("{}: {} is kept in chunks of {} values; at most {} bytes each are read. Rewrite it with smaller ones.", file.string(),
                      made.name, chunk, kMaxChunkBytes);
    }
    if (access == Access::library_only || layout != H5D_CONTIGUOUS) return made;
    const auto place = made.count == 0 ? 0 : H5Dget_offset(made.dataset.get());
    if (place == HADDR_UNDEF) return made;
    if (place > size || made.count > (size - place) / made.width) {
      throw DataError("{}: {} reaches beyond the end of the file: it was cut off. {}", file.string(), made.name, advice());
    }
    made.place = place;
    made.dataset = Hdf5Handle();
    return made;
  }

  void check_count(const Column& each, std::uint64_t expected) const {
    if (each.count != expected)
      throw DataError("{}: {} has {} entries instead of {}. {}", file.string(), each.name, each.count, expected, advice());
  }

  bool direct() const {
    for (const auto* each : columns()) {
      if (each->dataset.valid()) return false;
    }
    return true;
  }

  std::vector<const Column*> columns() const {
    return {&bytes, &photo_offset, &photo_id,      &photo_sum, &width,        &height,
            &hash,  &points,       &sketch_offset, &sketch_id, &sketch_photo, &sketch_sum};
  }

  void close_library() {
    for (auto* each : columns()) {
      auto* mutable_column = const_cast<Column*>(each);
      mutable_column->dataset = Hdf5Handle();
      mutable_column->type = Hdf5Handle();
    }
    library = Hdf5Handle();
  }

  /// `count` values from `first` on. Bounded by the column; DataError when the file does not give them.
  void read(const Column& from, std::uint64_t first, std::uint64_t count, void* out) const {
    if (first > from.count || count > from.count - first) {
      throw DataError("{}: {} has no entries {} to {}; it has {}. {}", file.string(), from.name, first, first + count, from.count,
                      advice());
    }
    if (count == 0) return;
    if (from.dataset.valid()) return read_by_library(from, first, count, out);
    auto* target = static_cast<char*>(out);
    auto left = count * from.width;
    auto place = from.place + first * from.width;
    while (left > 0) {
      const auto got = ::pread(descriptor.value(), target, left, static_cast<off_t>(place));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_cannot_read(file, errno);
      if (got == 0)
        throw DataError("{}: ends at byte {}, in the midst of {}: it was cut off. {}", file.string(), place, from.name, advice());
      target += got;
      left -= static_cast<std::uint64_t>(got);
      place += static_cast<std::uint64_t>(got);
    }
  }

  void read_by_library(const Column& from, std::uint64_t first, std::uint64_t count, void* out) const {
    const Hdf5Lock lock;
    const hsize_t start = first, extent = count;
    const Hdf5Handle in_file(H5Dget_space(from.dataset.get()), H5Sclose);
    const Hdf5Handle in_memory(H5Screate_simple(1, &extent, nullptr), H5Sclose);
    if (H5Sselect_hyperslab(in_file.get(), H5S_SELECT_SET, &start, nullptr, &extent, nullptr) < 0 ||
        H5Dread(from.dataset.get(), from.type.get(), in_memory.get(), in_file.get(), H5P_DEFAULT, out) < 0) {
      throw DataError("{}: {} cannot be read from entry {} on: damaged, or compressed in a way this program does not know. {}",
                      file.string(), from.name, first, advice());
    }
  }

  template <typename T>
  T value(const Column& from, std::uint64_t index) const {
    T result{};
    read(from, index, 1, &result);
    return result;
  }

  std::vector<std::string> texts(const Column& from, std::uint64_t first, std::uint64_t count) const {
    if (first > from.count || count > from.count - first) read(from, first, count, nullptr);  // throws
    std::string block(count * from.width, '\0');
    read(from, first, count, block.data());
    std::vector<std::string> result;
    result.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const char* begin = block.data() + i * from.width;
      result.emplace_back(begin, ::strnlen(begin, from.width));
    }
    return result;
  }

  /// Begin and end of a sample in `data`, checked.
  std::pair<std::uint64_t, std::uint64_t> range(const Column& offsets, const Column& data, std::uint64_t index, std::int64_t limit,
                                                const char* what) const {
    std::uint64_t ends[2];
    read(offsets, index, 2, ends);
    if (ends[0] >= ends[1] || ends[1] > data.count || ends[1] - ends[0] > static_cast<std::uint64_t>(limit)) {
      throw ChecksumError("{}, {} {}: its place in {} ({} to {} of {}) makes no sense. {}", file.string(), what, index, data.name, ends[0],
                          ends[1], data.count, advice());
    }
    return {ends[0], ends[1]};
  }

  void check_sum(std::uint64_t stored, std::uint64_t found, const char* what, std::int64_t index, const std::string& id) const {
    if (stored == found) return;
    throw ChecksumError("{}, {} {} (id '{}'): checksum differs (stored {}, read {}). {}", file.string(), what, index, printable(id),
                        to_hex(stored), to_hex(found), advice());
  }

  std::string advice() const {
    return fmt::format("The file was changed after it was written; `duet store verify {}` lists all damage.",
                       file.parent_path().parent_path().string());
  }

  void check_index(std::int64_t index, std::uint64_t count, const char* what) const {
    DUET_CHECK(index >= 0 && static_cast<std::uint64_t>(index) < count, "{}: {} {} of {}", file.string(), what, index, count);
  }

  std::filesystem::path file;
  Access access;
  Descriptor descriptor;
  std::uint64_t size = 0;
  PhotoFormat format = PhotoFormat::jpeg;
  std::uint64_t photos = 0, sketches = 0;
  Hdf5Handle library;
  Column bytes, photo_offset, photo_id, photo_sum, width, height, hash;
  Column points, sketch_offset, sketch_id, sketch_photo, sketch_sum;
};

ShardReader::ShardReader(std::filesystem::path file, const ShardStructure& structure, Access access)
    : parts_(std::make_unique<const Parts>(std::move(file), structure, access)) {}
ShardReader::~ShardReader() = default;

std::int64_t ShardReader::photo_count() const { return static_cast<std::int64_t>(parts_->photos); }
std::int64_t ShardReader::sketch_count() const { return static_cast<std::int64_t>(parts_->sketches); }
PhotoFormat ShardReader::photo_format() const { return parts_->format; }
bool ShardReader::direct() const { return parts_->direct(); }

ShardReader::PhotoEntry ShardReader::photo_entry(std::int64_t index) const {
  parts_->check_index(index, parts_->photos, "photo");
  const auto at = static_cast<std::uint64_t>(index);
  const auto [begin, end] = parts_->range(parts_->photo_offset, parts_->bytes, at, kMaxPhotoBytes, "photo");
  const auto width = parts_->value<std::uint32_t>(parts_->width, at);
  const auto height = parts_->value<std::uint32_t>(parts_->height, at);
  const bool sides_fit = width > 0 && height > 0 && width <= kMaxPhotoSide && height <= kMaxPhotoSide;
  if (!sides_fit || (parts_->format == PhotoFormat::raw && end - begin != std::uint64_t{3} * width * height)) {
    throw ChecksumError("{}, photo {}: {} x {} pixels in {} bytes make no sense. {}", parts_->file.string(), index, width, height,
                        end - begin, parts_->advice());
  }
  return {parts_->texts(parts_->photo_id, at, 1).front(), static_cast<int>(width), static_cast<int>(height),
          parts_->value<std::uint64_t>(parts_->hash, at), static_cast<std::int64_t>(end - begin)};
}

ShardReader::PhotoEntry ShardReader::read_photo(std::int64_t index, std::vector<std::byte>& out) const {
  auto entry = photo_entry(index);
  const auto at = static_cast<std::uint64_t>(index);
  out.resize(static_cast<std::size_t>(entry.stored_bytes));
  parts_->read(parts_->bytes, parts_->value<std::uint64_t>(parts_->photo_offset, at), out.size(), out.data());
  parts_->check_sum(
      parts_->value<std::uint64_t>(parts_->photo_sum, at),
      photo_checksum(out, entry.id, static_cast<std::uint32_t>(entry.width), static_cast<std::uint32_t>(entry.height), entry.hash), "photo",
      index, entry.id);
  return entry;
}

ShardReader::SketchEntry ShardReader::read_sketch(std::int64_t index) const {
  parts_->check_index(index, parts_->sketches, "sketch");
  const auto at = static_cast<std::uint64_t>(index);
  const auto [begin, end] = parts_->range(parts_->sketch_offset, parts_->points, at, std::int64_t{3} * kMaxSketchPoints, "sketch");
  SketchEntry entry{parts_->texts(parts_->sketch_id, at, 1).front(), parts_->value<std::int64_t>(parts_->sketch_photo, at), {}};
  if ((end - begin) % 3 != 0 || entry.photo < -1 || entry.photo >= photo_count()) {
    throw ChecksumError("{}, sketch {} (id '{}'): {} values, photo {} of {} make no sense. {}", parts_->file.string(), index,
                        printable(entry.id), end - begin, entry.photo, photo_count(), parts_->advice());
  }
  entry.points.resize((end - begin) / 3);
  parts_->read(parts_->points, begin, end - begin, entry.points.data());
  parts_->check_sum(parts_->value<std::uint64_t>(parts_->sketch_sum, at), sketch_checksum(entry.points, entry.id, entry.photo), "sketch",
                    index, entry.id);
  check_sketch(entry.points, fmt::format("{}, sketch {} (id '{}')", parts_->file.string(), index, printable(entry.id)));
  return entry;
}

std::pair<std::int64_t, std::int64_t> ShardReader::sketches_of(std::int64_t photo) const {
  const auto first_not_below = [this](std::int64_t wanted) {
    std::uint64_t low = 0, high = parts_->sketches;
    while (low < high) {
      const auto middle = low + (high - low) / 2;
      if (parts_->value<std::int64_t>(parts_->sketch_photo, middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return static_cast<std::int64_t>(low);
  };
  const auto begin = first_not_below(photo);
  return {begin, std::max(begin, first_not_below(photo + 1))};
}

std::vector<std::string> ShardReader::photo_ids(std::int64_t first, std::int64_t count) const {
  return parts_->texts(parts_->photo_id, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count));
}

std::vector<std::string> ShardReader::sketch_ids(std::int64_t first, std::int64_t count) const {
  return parts_->texts(parts_->sketch_id, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count));
}

std::vector<std::uint64_t> ShardReader::photo_hashes(std::int64_t first, std::int64_t count) const {
  DUET_CHECK(first >= 0 && count >= 0 && first + count <= photo_count(), "{}: hashes {} to {}", parts_->file.string(), first,
             first + count);
  std::vector<std::uint64_t> result(static_cast<std::size_t>(count));
  parts_->read(parts_->hash, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count), result.data());
  return result;
}

}  // namespace duet
