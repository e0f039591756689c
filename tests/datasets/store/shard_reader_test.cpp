#include <gmock/gmock.h>
#include <hdf5.h>
#include <sys/wait.h>

#include "base/checksum.h"
#include "datasets/store/shard.h"
#include "datasets/store/verify.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Reads a shard's every sample; a line a sample.
std::vector<std::string> everything(const ShardReader& shard) {
  std::vector<std::string> lines;
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < shard.photo_count(); ++i) {
    const auto entry = shard.read_photo(i, bytes);
    lines.push_back(fmt::format("{} {} {} {} {}", entry.id, entry.width, entry.height, entry.hash, to_hex(checksum(bytes))));
  }
  for (std::int64_t i = 0; i < shard.sketch_count(); ++i) {
    const auto entry = shard.read_sketch(i);
    lines.push_back(fmt::format("{} {} {}", entry.id, entry.photo, to_hex(checksum(bytes_of(entry.points)))));
  }
  return lines;
}

/// As other software might leave a shard: every dataset chunked and compressed, same values.
void rewrite_compressed(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto source = H5Fopen(from.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
             target = H5Fcreate(to.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (const char* name : {"duet_shard_version", "photo_format"}) {
    const auto attribute = H5Aopen(source, name, H5P_DEFAULT), type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    std::vector<char> value(H5Tget_size(type));
    H5Aread(attribute, type, value.data());
    const auto copy = H5Acreate2(target, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(copy, type, value.data());
    for (const auto id : {attribute, copy}) H5Aclose(id);
    H5Tclose(type);
    H5Sclose(space);
  }
  for (const char* group : {"/photo", "/sketch"}) H5Gclose(H5Gcreate2(target, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  for (const char* name : {"/photo/bytes", "/photo/offset", "/photo/id", "/photo/checksum", "/photo/width", "/photo/height", "/photo/hash",
                           "/sketch/points", "/sketch/offset", "/sketch/id", "/sketch/photo", "/sketch/checksum"}) {
    const auto dataset = H5Dopen2(source, name, H5P_DEFAULT), type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    hsize_t extent = 0;
    H5Sget_simple_extent_dims(space, &extent, nullptr);
    std::vector<char> values(extent * H5Tget_size(type) + 1);
    H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    const auto properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 7;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_deflate(properties, 1);
    const hsize_t unlimited = H5S_UNLIMITED;
    const auto growing = H5Screate_simple(1, &extent, &unlimited);
    const auto copy = H5Dcreate2(target, name, type, growing, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Dwrite(copy, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    for (const auto id : {dataset, copy}) H5Dclose(id);
    H5Tclose(type);
    for (const auto id : {space, growing}) H5Sclose(id);
    H5Pclose(properties);
  }
  H5Fclose(source);
  H5Fclose(target);
}

TEST(ShardReader, LibraryPathGivesTheSameBytes) {
  const TemporaryFolder folder;
  const auto file = first_shard(make_pairs(folder.path(), 60, 20'000));
  rewrite_compressed(file, folder / "compressed.h5");
  const ShardReader direct(file), library(file, {}, ShardReader::Access::library_only);
  const ShardReader compressed(folder / "compressed.h5");
  EXPECT_TRUE(direct.direct());
  EXPECT_FALSE(library.direct());
  EXPECT_FALSE(compressed.direct());
  const auto expected = everything(direct);
  EXPECT_GT(expected.size(), 20u);
  EXPECT_EQ(everything(library), expected);
  EXPECT_EQ(everything(compressed), expected);
  EXPECT_EQ(compressed.photo_ids(3, 5), direct.photo_ids(3, 5));
  EXPECT_EQ(compressed.photo_hashes(3, 5), direct.photo_hashes(3, 5));
}

TEST(ShardReader, ReadsWhileAnotherProcessHoldsTheFileOpenForWriting) {
  const TemporaryFolder folder;
  const auto file = first_shard(make_pairs(folder.path(), 10));
  int ready[2], release[2];
  ASSERT_EQ(::pipe(ready) | ::pipe(release), 0);
  const int child = ::fork();
  if (child == 0) {
    char byte = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT) >= 0 ? 'y' : 'n';  // takes HDF5's lock on the file
    ::_exit(::write(ready[1], &byte, 1) == 1 && ::read(release[0], &byte, 1) == 1 ? 0 : 1);
  }
  char held = 0;
  ASSERT_EQ(::read(ready[0], &held, 1), 1);
  EXPECT_EQ(held, 'y');
  EXPECT_NO_THROW(ShardReader{file}) << "HDF5's file locking is to be off for readers";
  ASSERT_EQ(::write(release[1], &held, 1), 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

/// Every byte of a small shard changed, one at a time: each change is found, or changes no sample. Nothing crashes, loops,
/// or reads outside.
TEST(Damage, NoFlippedByteGoesUnnoticed) {
  const TemporaryFolder folder;
  const auto path = folder / "s";
  auto writer = StoreWriter::create(path, StoreKind::pairs);
  for (int i = 0; i < 3; ++i) {
    const auto photo = writer.add_photo({photo_id(i), "train", noise_bytes(static_cast<std::uint64_t>(i), 40), 4, 3, 77});
    writer.add_sketch({photo_id(i) + "_1", "", photo, noise_sketch(3, 3)});
  }
  const auto entry = writer.commit({}).shards.front();
  const auto whole = content_of(path / entry.file);
  const auto expected = everything(ShardReader(path / entry.file, entry.structure));
  const auto target = folder / "damaged.h5";
  overwrite(target, whole);
  std::size_t found = 0;
  for (std::size_t place = 0; place < whole.size(); ++place) {
    flip_in_place(target, place);
    try {
      ASSERT_EQ(everything(ShardReader(target, entry.structure)), expected) << "byte " << place;
    } catch (const Error& error) {
      ++found;
      EXPECT_THAT(error.what(), HasSubstr("damaged.h5")) << "byte " << place;
    }
    flip_in_place(target, place);
  }
  EXPECT_EQ(content_of(target), whole);
  EXPECT_GT(found, static_cast<std::size_t>(entry.structure.bytes) + 3 * 40) << "at least the structure and every photo's bytes";
}

TEST(Damage, ATruncatedShardIsNamedAtAnyLength) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 30);
  const auto file = first_shard(path);
  const auto whole = content_of(file);
  for (const std::size_t length : {std::size_t{0}, std::size_t{10}, std::size_t{600}, whole.size() / 2, whole.size() - 1}) {
    overwrite(file, whole.substr(0, length));
    EXPECT_THAT(message_of<DataError>([&] { ShardReader shard(file); }), HasSubstr("00000001-000000.h5")) << length;
    std::vector<std::byte> out;
    EXPECT_THAT(message_of<DataError>([&] { Store::open(path)->view("train").read_photo(0, out); }),
                AllOf(HasSubstr(fmt::format("has {} bytes instead of {}", length, whole.size())), HasSubstr("cut off")));
  }
  std::filesystem::remove(file);
  std::vector<std::byte> out;
  EXPECT_THAT(message_of<InputMissing>([&] { Store::open(path)->view("train").read_photo(0, out); }), HasSubstr("is missing"));
}

TEST(Damage, AShardCutOffWhileOpenIsNamed) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 30);
  const auto view = Store::open(path)->view("train");
  std::vector<std::byte> out;
  view.read_photo(0, out);
  std::filesystem::resize_file(first_shard(path), 100);
  EXPECT_THAT(message_of<DataError>([&] { view.read_photo(1, out); }), AllOf(HasSubstr("ends at byte"), HasSubstr("cut off")));
}

TEST(Damage, ForeignFilesAreRefused) {
  const TemporaryFolder folder;
  overwrite(folder / "text.h5", "this is no HDF5 file");
  EXPECT_THAT(message_of<DataError>([&] { ShardReader shard(folder / "text.h5"); }), HasSubstr("is no HDF5 file"));
  H5Fclose(H5Fcreate((folder / "empty.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  EXPECT_THAT(message_of<DataError>([&] { ShardReader shard(folder / "empty.h5"); }), HasSubstr("no shard of a store"));
}

/// Replaces one dataset of a good shard by what `make` creates under the same name.
template <typename Make>
std::string refusal_of_changed(const std::filesystem::path& good, const std::filesystem::path& target, const char* name, Make make) {
  std::filesystem::copy_file(good, target, std::filesystem::copy_options::overwrite_existing);
  const auto file = H5Fopen(target.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, name, H5P_DEFAULT);
  make(file);
  H5Fclose(file);
  return message_of<DataError>([&] { everything(ShardReader(target)); });
}

hid_t dataset_of(hid_t file, const char* name, hid_t type, int rank, hid_t properties = H5P_DEFAULT) {
  const hsize_t extent[] = {10, 1};
  const auto space = H5Screate_simple(rank, extent, nullptr);
  const auto made = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Sclose(space);
  return made;
}

TEST(Damage, HostileStructureIsRefused) {
  const TemporaryFolder folder;
  overwrite(folder / "secret", std::string(1000, 's'));
  auto writer = StoreWriter::create(folder / "s", StoreKind::pool);
  for (int i = 0; i < 10; ++i) writer.add_photo({photo_id(i), "train", photo_bytes(i), 20, 10, 0});
  writer.commit({});
  const auto good = first_shard(folder / "s");
  const auto refusal = [&](const char* name, auto make) { return refusal_of_changed(good, folder / "changed.h5", name, make); };

  EXPECT_THAT(refusal("/photo/hash", [](hid_t) {}), HasSubstr("/photo/hash is missing"));
  EXPECT_THAT(refusal("/photo/hash", [](hid_t file) { H5Dclose(dataset_of(file, "/photo/hash", H5T_IEEE_F64LE, 1)); }),
              HasSubstr("/photo/hash has the wrong type"));
  EXPECT_THAT(refusal("/photo/hash", [](hid_t file) { H5Dclose(dataset_of(file, "/photo/hash", H5T_STD_U64LE, 2)); }),
              HasSubstr("not one-dimensional"));
  EXPECT_THAT(refusal("/photo/checksum", [](hid_t file) { H5Dclose(dataset_of(file, "/photo/checksum", H5T_STD_U64LE, 1)); }),
              HasSubstr("checksum differs"));
  EXPECT_THAT(refusal("/photo/offset", [](hid_t file) { H5Dclose(dataset_of(file, "/photo/offset", H5T_STD_U64LE, 1)); }),
              HasSubstr("10 entries instead of 11"));
  EXPECT_THAT(refusal("/photo/id",
                      [](hid_t file) {
                        const auto type = H5Tcopy(H5T_C_S1);
                        H5Tset_size(type, H5T_VARIABLE);
                        H5Dclose(dataset_of(file, "/photo/id", type, 1));
                        H5Tclose(type);
                      }),
              HasSubstr("/photo/id has the wrong type"));
  EXPECT_THAT(refusal("/photo/hash",
                      [&](hid_t file) {
                        const auto properties = H5Pcreate(H5P_DATASET_CREATE);
                        H5Pset_external(properties, (folder / "secret").c_str(), 0, 80);
                        H5Dclose(dataset_of(file, "/photo/hash", H5T_STD_U64LE, 1, properties));
                        H5Pclose(properties);
                      }),
              HasSubstr("outside the file"));
  EXPECT_THAT(refusal("/photo/hash",
                      [&](hid_t file) { H5Lcreate_external(good.c_str(), "/photo/hash", file, "/photo/hash", H5P_DEFAULT, H5P_DEFAULT); }),
              HasSubstr("/photo/hash is missing"));
  EXPECT_THAT(refusal("/photo", [&](hid_t file) { H5Lcreate_external(good.c_str(), "/photo", file, "/photo", H5P_DEFAULT, H5P_DEFAULT); }),
              HasSubstr("/photo is missing"));
}

TEST(Damage, OffsetsOutsideTheDataAreRefused) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 30);
  const auto file = first_shard(path);
  const std::uint64_t ends[] = {0, photo_bytes(0).size()};
  const auto place = place_of(file, std::as_bytes(std::span(ends)));
  ASSERT_NE(place, std::string::npos);
  auto content = content_of(file);
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    content.replace(place + 8, 8, reinterpret_cast<const char*>(&wrong), 8);
    overwrite(file, content);
    std::vector<std::byte> out;
    const ShardReader shard(file);
    EXPECT_THAT(message_of<ChecksumError>([&] { shard.read_photo(0, out); }), AllOf(HasSubstr("photo 0"), HasSubstr("makes no sense")));
    EXPECT_THROW(shard.read_photo(1, out), ChecksumError);
  }
}

TEST(Damage, FilesOfAnotherKindAreNamed) {
  const TemporaryFolder folder;
  const auto path = make_pairs(folder.path(), 10);
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 99\n";
  const auto complaint = [&](const std::filesystem::path& store) {
    return message_of<DataError>([&] {
      std::vector<std::byte> out;
      Store::open(store)->view("all").read_photo(0, out);
    });
  };
  overwrite(first_shard(path), pointer);
  EXPECT_THAT(complaint(path), AllOf(HasSubstr(".h5: is a Git LFS pointer"), HasSubstr("git lfs pull")));
  overwrite(path / "manifests/00000001.json", pointer);
  EXPECT_THAT(complaint(path), HasSubstr("00000001.json: is a Git LFS pointer"));
  overwrite(path / "manifest.json", pointer);
  EXPECT_THAT(complaint(path), HasSubstr("manifest.json: is a Git LFS pointer"));
  overwrite(folder / "data.npz", "PK\3\4");
  EXPECT_THAT(complaint(folder / "data.npz"), AllOf(HasSubstr("an archive"), HasSubstr("A store is a folder")));
}

}  // namespace
}  // namespace duet
