#include "datasets/loader/batch_stream.h"

#include <gmock/gmock.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <map>
#include <memory>
#include <new>
#include <set>

#include "base/checksum.h"
#include "datasets/image/image.h"
#include "datasets/loader/sample.h"
#include "datasets/sketch/affine.h"
#include "datasets/sketch/simplify.h"
#include "tests/datasets/loader/picture_store.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

BatchOptions pair_options(const std::filesystem::path& store) {
  BatchOptions options;
  options.view = Store::open(store)->view("train");
  options.seed = 42;
  options.global_batch = 12;
  options.image_side = 40;
  options.by_sketch = true;
  options.rasters = true;
  options.sequences = true;
  options.augmentation = {.flip = true, .rotate_degrees = 10, .scale = 0.15, .shift = 0.1};
  return options;
}

/// All that a row is, so that rows can be compared whole.
struct Row {
  std::int64_t position, epoch, record, photo;
  std::uint8_t flipped;
  std::vector<std::uint8_t> pixels, raster;
  std::vector<Offset> sequence;
  bool operator==(const Row&) const = default;
};

void append_rows(const Batch& batch, std::vector<Row>& rows) {
  const auto n = static_cast<std::size_t>(batch.size());
  for (std::size_t i = 0; i < n; ++i) {
    const auto part = [&](const std::vector<std::uint8_t>& all) {
      const auto size = static_cast<std::ptrdiff_t>(all.size() / n), at = static_cast<std::ptrdiff_t>(i) * size;
      return std::vector<std::uint8_t>(all.begin() + at, all.begin() + at + size);
    };
    rows.push_back({batch.position[i], batch.epoch[i], batch.record[i], batch.photo[i], batch.flipped[i], part(batch.photos),
                    part(batch.rasters), batch.sequences.empty() ? std::vector<Offset>{} : batch.sequences[i]});
  }
}

std::vector<Row> rows_of(BatchStream& stream, int batches) {
  std::vector<Row> rows;
  for (int i = 0; i < batches; ++i) append_rows(stream.next(), rows);
  return rows;
}

/// The global batches as `ranks` ranks see them, put together again.
std::vector<Row> rows_over_ranks(const BatchOptions& options, int ranks, int threads, int batches) {
  std::vector<std::unique_ptr<BatchStream>> streams;
  for (int rank = 0; rank < ranks; ++rank) {
    auto mine = options;
    mine.rank = rank;
    mine.ranks = ranks;
    mine.threads = threads;
    mine.queue_depth = threads;
    streams.push_back(std::make_unique<BatchStream>(mine));
  }
  std::vector<Row> rows;
  for (int i = 0; i < batches; ++i) {
    for (auto& stream : streams) {
      const auto batch = stream->next();
      EXPECT_EQ(batch.first_position, i * options.global_batch);
      append_rows(batch, rows);
    }
  }
  return rows;
}

TEST(BatchStream, AnyNumberOfRanksAndThreadsSeesTheSameGlobalBatches) {
  const TemporaryFolder folder;
  const auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20));
  const auto expected = rows_over_ranks(options, 1, 1, 8);  // 96 rows of 40 sketches: over two ends of epochs
  ASSERT_THAT(expected, SizeIs(96));
  for (const int ranks : {1, 2, 4, 5}) {
    for (const int threads : {1, 3})
      EXPECT_TRUE(rows_over_ranks(options, ranks, threads, 8) == expected) << ranks << " ranks, " << threads << " threads";
  }
}

TEST(BatchStream, VisitsEveryRecordOnceAnEpoch) {
  const TemporaryFolder folder;
  auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 18));
  BatchStream stream(options);
  std::map<std::int64_t, std::multiset<std::int64_t>> records;
  for (const auto& row : rows_of(stream, 9)) records[row.epoch].insert(row.record);  // 108 rows = 3 epochs of 36
  ASSERT_THAT(records, SizeIs(3));
  for (const auto& [epoch, visited] : records) {
    for (std::int64_t i = 0; i < 36; ++i) EXPECT_EQ(visited.count(i), 1u) << "record " << i << " in epoch " << epoch;
  }
}

TEST(BatchStream, NoiseDiffersBySeedSaltAndEpoch) {
  const TemporaryFolder folder;
  auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20));
  BatchStream first(options);
  options.stream_salt = 1;
  BatchStream salted(options);
  options.stream_salt = 0;
  options.seed = 43;
  BatchStream seeded(options);
  const auto rows = rows_of(first, 7);
  EXPECT_FALSE(rows == rows_of(salted, 7));
  EXPECT_FALSE(rows == rows_of(seeded, 7));
  int same = 0;
  for (const auto& a : rows) {
    for (const auto& b : rows) same += a.record == b.record && a.epoch < b.epoch && (a.pixels == b.pixels || a.raster == b.raster);
  }
  EXPECT_EQ(same, 0) << "an epoch repeats another's augmentation";
}

TEST(BatchStream, RowsWithoutAffineAreTheSamplesThemselvesFlippedTogether) {
  const TemporaryFolder folder;
  for (const auto format : {PhotoFormat::jpeg, PhotoFormat::raw}) {
    std::filesystem::remove_all(folder / "pairs.store");
    auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20, format));
    options.augmentation = {.flip = true};
    options.ink_dark_on_white = true;
    BatchStream stream(options);
    int flipped = 0;
    for (const auto& row : rows_of(stream, 4)) {
      const bool mirror = row.flipped != 0;
      flipped += mirror;
      const auto sketch = options.view.read_sketch(row.record);
      EXPECT_EQ(row.photo, sketch.photo);
      EXPECT_EQ(row.pixels, load_photo(options.view, row.photo, 40, mirror));
      EXPECT_EQ(row.raster, load_raster(options.view, row.record, 40, true, mirror));
      EXPECT_EQ(row.sequence, to_offsets(simplify(mirror ? transform(sketch.points, Affine::mirror()) : sketch.points, 3)));
      EXPECT_NE(row.pixels, load_photo(options.view, row.photo, 40, !mirror));
    }
    EXPECT_THAT(flipped, AllOf(testing::Gt(10), testing::Lt(38)));
  }
}

TEST(BatchStream, ServesPhotosAloneAndStrokesAlone) {
  const TemporaryFolder folder;
  BatchOptions pool;
  pool.view = Store::open(make_store(folder.path(), StoreKind::pool, 15))->view("train");
  pool.global_batch = 5;
  pool.image_side = 16;
  BatchStream photos(pool);
  for (const auto& row : rows_of(photos, 3)) {
    EXPECT_EQ(row.photo, row.record);
    EXPECT_EQ(row.pixels, load_photo(pool.view, row.photo, 16));
    EXPECT_THAT(row.raster, SizeIs(0));
  }

  auto writer = StoreWriter::create(folder / "strokes", StoreKind::strokes);
  for (std::uint64_t i = 0; i < 6; ++i) writer.add_sketch({fmt::format("s{}", i), "train", -1, noise_sketch(i, 9)});
  writer.commit({});
  BatchOptions strokes;
  strokes.view = Store::open(folder / "strokes")->view("train");
  strokes.global_batch = 4;
  strokes.image_side = 64;
  strokes.by_sketch = strokes.rasters = strokes.sequences = true;
  strokes.photos = false;
  BatchStream drawings(strokes);
  for (const auto& row : rows_of(drawings, 3)) {
    EXPECT_EQ(row.photo, -1);
    EXPECT_EQ(row.raster, load_raster(strokes.view, row.record, 64));
    EXPECT_EQ(row.sequence, to_offsets(simplify(noise_sketch(static_cast<std::uint64_t>(row.record), 9), 3)));
  }
}

TEST(BatchStream, GoesOnExactlyWhereItsStateWasTaken) {
  const TemporaryFolder folder;
  const auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20));
  for (const int before : {0, 1, 3, 5}) {
    BatchStream straight(options);
    for (int i = 0; i < before; ++i) straight.next();
    const auto state = straight.state();  // decoded ahead by now, which must not count
    EXPECT_EQ(state.position, before * 12);
    const auto expected = rows_of(straight, 4);

    BatchStream resumed(options);
    resumed.next();
    resumed.seek(stream_state_from_json(to_json(state), "test"));
    EXPECT_EQ(resumed.state(), state);
    EXPECT_TRUE(rows_of(resumed, 4) == expected) << "after " << before << " batches";
    straight.seek(state);
    EXPECT_TRUE(rows_of(straight, 4) == expected) << "backwards";
  }
  BatchStream stream(options);
  EXPECT_THAT(message_of<DataError>([&] { stream.seek({.generation = 2}); }), HasSubstr("generation 2, the store was opened at 1"));
  EXPECT_THROW(stream.seek({.generation = 1, .consumed = 40}), DataError);
}

/// Damages photo `number` of a store of pictures in its shard.
void damage_photo(const std::filesystem::path& store, std::int64_t number) {
  const auto jpeg = encode_jpeg(picture(number), 90);
  const auto opened = Store::open(store);
  for (const auto& shard : opened->manifest().shards) {
    const auto place = place_of(store / shard.file, jpeg);
    if (place != std::string::npos) return flip_in_place(store / shard.file, place + 200);
  }
  FAIL() << "photo " << number << " is nowhere";
}

TEST(BatchStream, ADamagedPhotoIsReplacedCountedAndNamed) {
  const TemporaryFolder folder;
  const auto path = make_store(folder.path(), StoreKind::pairs, 20);
  auto options = pair_options(path);
  options.max_bad_fraction = 0.2;
  const auto whole = rows_over_ranks(options, 1, 1, 8);
  damage_photo(path, 7);
  options.view = Store::open(path)->view("train");
  const auto damaged = rows_over_ranks(options, 1, 1, 8);
  int replaced = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NE(damaged[i].photo, 7);
    if (whole[i].photo == 7) {
      ++replaced;
      EXPECT_EQ(damaged[i].pixels.size(), whole[i].pixels.size());
    } else {
      EXPECT_TRUE(damaged[i] == whole[i]) << "row " << i << " has nothing to do with photo 7";
    }
  }
  EXPECT_GE(replaced, 4) << "two sketches in two epochs";
  for (const int ranks : {2, 4}) EXPECT_TRUE(rows_over_ranks(options, ranks, 3, 8) == damaged) << ranks;

  BatchStream stream(options);
  rows_of(stream, 8);
  const auto bad = stream.take_bad_samples();
  ASSERT_THAT(bad, SizeIs(2)) << "each bad record once";
  EXPECT_EQ(bad[0].kind, BadSample::Kind::sketch);
  EXPECT_THAT(bad[0].reason, AllOf(HasSubstr("pairs.store/shards/"), HasSubstr("(id 'photo-0007'): checksum differs")));
  EXPECT_THAT(stream.take_bad_samples(), SizeIs(0));
}

TEST(BatchStream, OneBadSampleIsForgivenManyAreNot) {
  const TemporaryFolder folder;
  const auto path = make_store(folder.path(), StoreKind::pool, 20);
  BatchOptions options;
  options.global_batch = 10;
  options.image_side = 16;
  damage_photo(path, 3);
  options.view = Store::open(path)->view("train");
  BatchStream forgiven(options);
  EXPECT_NO_THROW(rows_of(forgiven, 4));
  EXPECT_THAT(forgiven.take_bad_samples(), SizeIs(1));
  options.max_bad_fraction = 0;
  BatchStream strict(options);
  EXPECT_THROW(rows_of(strict, 2), DataError);

  options.max_bad_fraction = 0.1;
  for (const auto number : {5, 6}) damage_photo(path, number);
  options.view = Store::open(path)->view("train");
  BatchStream stream(options);
  try {
    rows_of(stream, 4);
    FAIL() << "3 of 20 are more than a tenth";
  } catch (const DataError& error) {
    EXPECT_EQ(error.status(), ExitStatus::bad_data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("pool.store, split 'train': 3 of 20 records cannot be read, more than the 2 allowed"),
                                    HasSubstr("duet store verify")));
  }
  EXPECT_THROW(stream.next(), DataError) << "and it stays so";
}

TEST(BatchStream, AMissingShardIsManyBadSamples) {
  const TemporaryFolder folder;
  const auto path = make_store(folder.path(), StoreKind::pool, 40);
  const auto shards = Store::open(path)->manifest().shards;
  ASSERT_GT(shards.size(), 3u);
  std::filesystem::remove(path / shards[1].file);
  BatchOptions options;
  options.global_batch = 10;
  options.image_side = 16;
  options.max_bad_fraction = 0.5;
  options.view = Store::open(path)->view("train");
  BatchStream tolerant(options);
  rows_of(tolerant, 4);
  EXPECT_THAT(tolerant.take_bad_samples(), SizeIs(shards[1].photos));
  options.max_bad_fraction = 0.02;
  BatchStream strict(options);
  EXPECT_THROW(rows_of(strict, 4), DataError);
}

/// A healthy store of many shards and few descriptors: nothing may be replaced by another sample.
TEST(BatchStream, TooFewOpenFilesAreNotBadSamples) {
  const TemporaryFolder folder;
  const auto path = make_store(folder.path(), StoreKind::pool, 40);
  ASSERT_GT(Store::open(path)->manifest().shards.size(), 3u);
  BatchOptions options;
  options.global_batch = 10;
  options.image_side = 16;
  options.max_bad_fraction = 1;
  options.view = Store::open(path)->view("train");
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int used = ::dup(0);
  ::close(used);
  for (const int left : {0, 1, 3}) {  // none; one, but the HDF5 library needs a second; a few for the first shards
    const rlimit few{static_cast<rlim_t>(used + left), before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    BatchStream stream(options);
    std::string said;
    try {
      for (int batch = 0; batch < 8; ++batch) stream.next();
    } catch (const Unavailable& error) {
      said = error.what();
    }
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_THAT(said, HasSubstr("ulimit -n")) << left;
    EXPECT_THAT(stream.take_bad_samples(), SizeIs(0)) << left;
  }
}

TEST(BatchStream, ExcludedPhotosNeverCome) {
  const TemporaryFolder folder;
  auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20));
  options.excluded = [](std::int64_t photo) { return photo % 4 == 0; };
  BatchStream stream(options);
  std::set<std::int64_t> photos;
  for (const auto& row : rows_of(stream, 10)) photos.insert(row.photo);
  EXPECT_THAT(photos, SizeIs(15));
  for (const auto photo : photos) EXPECT_NE(photo % 4, 0);
  EXPECT_THAT(stream.take_bad_samples(), SizeIs(0));

  options.excluded = [](std::int64_t) { return true; };
  BatchStream nothing(options);
  EXPECT_THAT(message_of<DataError>([&] { nothing.next(); }), AllOf(HasSubstr("none can be used"), HasSubstr("excluded")));
}

TEST(BatchStream, LongSequencesAreLeftOut) {
  const TemporaryFolder folder;
  auto options = pair_options(make_store(folder.path(), StoreKind::pairs, 20));
  options.max_steps = 12;
  BatchStream stream(options);
  std::size_t longest = 0;
  for (const auto& row : rows_of(stream, 8)) longest = std::max(longest, row.sequence.size());
  EXPECT_GT(longest, 5u);
  EXPECT_LE(longest, 12u);
  options.sequences = false;
  BatchStream rasters(options);
  std::set<std::int64_t> records;
  for (const auto& row : rows_of(rasters, 4)) records.insert(row.record);
  EXPECT_THAT(records, SizeIs(40)) << "without sequences no sketch is too long";
}

TEST(BatchStream, RefusesWhatMakesNoSense) {
  const TemporaryFolder folder;
  const auto good = pair_options(make_store(folder.path(), StoreKind::pairs, 4));
  const auto refusal = [&](auto change) {
    auto options = good;
    change(options);
    return message_of<UsageError>([&] { BatchStream stream(options); });
  };
  EXPECT_THAT(refusal([](auto& options) { options.global_batch = 3, options.ranks = 4; }),
              HasSubstr("global batch of 3 leaves some of 4 ranks"));
  EXPECT_THAT(refusal([](auto& options) { options.by_sketch = false; }), HasSubstr("sketches are asked of a stream of photos"));
  EXPECT_THAT(refusal([](auto& options) { options.image_side = 0; }), HasSubstr("side 0"));
  EXPECT_THAT(refusal([](auto& options) { options.threads = 0; }), HasSubstr("0 loader threads"));
  EXPECT_THAT(refusal([](auto& options) { options.augmentation.scale = 1; }), HasSubstr("scale 1"));
  EXPECT_THAT(refusal([&](auto& options) { options.view = Store::open(make_store(folder.path(), StoreKind::pool, 4))->view("train"); }),
              HasSubstr("has no sketches"));
}

/// Memory of this process that RLIMIT_DATA counts: heap, stacks of threads, private mappings.
std::int64_t data_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmData:")) return std::stol(line.substr(7)) * 1024;
  }
  throw InternalError("/proc/self/status has no VmData");
}

TEST(BatchStream, RunsThroughAStoreFourTimesItsMemory) {
  const std::int64_t limit_bytes =
      data_bytes() + (28 << 20);  // what earlier tests have left, two threads' stacks and a dozen MiB to work with
  constexpr int kSide = 128;
  const TemporaryFolder folder;
  std::int64_t photos = 0;
  {
    auto writer = StoreWriter::create(folder / "large", StoreKind::pool,
                                      {.photo_format = PhotoFormat::raw, .photo_side = kSide, .shard_bytes = 4 << 20});
    std::vector<std::uint64_t> pixels(kSide * kSide * 3 / 8);
    KeyedRandom random(8, Purpose::test, 0, 0);
    while (photos * kSide * kSide * 3 < 4 * limit_bytes) {
      for (auto& eight : pixels) eight = random.next();
      writer.add_photo({photo_id(photos++), "train", bytes_of(pixels), kSide, kSide, 0});
    }
    ASSERT_GE(writer.commit({}).bytes(), 4 * limit_bytes);
  }
  ::malloc_trim(0);
  const int child = ::fork();
  if (child == 0) {
    int result = 1;
    try {
      const rlimit limit{static_cast<rlim_t>(limit_bytes), static_cast<rlim_t>(limit_bytes)};
      ::setrlimit(RLIMIT_DATA, &limit);
      try {
        std::vector<char> too_much(static_cast<std::size_t>(limit_bytes));
        result = too_much.data() == nullptr ? 1 : 2;  // the limit does not hold: the test would prove nothing
      } catch (const std::bad_alloc&) {
        BatchOptions options;
        options.view = Store::open(folder / "large")->view("train");
        options.global_batch = 16;
        options.image_side = 64;
        options.threads = 2;
        options.queue_depth = 2;
        BatchStream stream(options);
        std::set<std::int64_t> seen;
        while (stream.state().epoch == 0) {
          const auto batch = stream.next();
          seen.insert(batch.record.begin(), batch.record.end());
        }
        result = std::ssize(seen) == photos && stream.take_bad_samples().empty() ? 0 : 3;
      }
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
    }
    ::_exit(result);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status) << ": 1 threw, 2 no limit, 3 samples missing";
}

}  // namespace
}  // namespace duet
