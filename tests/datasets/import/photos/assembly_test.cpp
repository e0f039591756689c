#include "datasets/import/photos/assembly.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "datasets/import/photos/part.h"
#include "datasets/import/photos/tree.h"
#include "datasets/store/store.h"
#include "datasets/store/writer_lock.h"
#include "tests/datasets/import/fixtures.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::contents;
using testing::FullDisk;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Not;
using testing::picture;
using ::testing::StartsWith;
using testing::write_jpeg;
using testing::write_png;
using testing::write_text;

/// Photos in several folders, among them duplicates that fall into different parts, files that are none, and links.
class PhotoParts : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::uint64_t i = 0; i < 40; ++i) {
      const auto name = fmt::format("photos/{}/{:02}.png", i % 3 == 0 ? "a" : i % 3 == 1 ? "a.b" : "c/d", i);
      write_png(folder_ / name, picture(i % 25));  // the last fifteen look like the first
    }
    write_text(folder_ / "photos/notes.txt", "no photo");
    write_text(folder_ / "photos/c/lies.png", "no photo either");
    write_png(folder_ / "photos/caf\xe9.png", picture(100));  // a name that is no UTF-8
    std::filesystem::create_symlink(folder_ / "photos/nothing", folder_ / "photos/a/dangling.png");
    write_png(folder_ / "more/z.png", picture(3));  // looks like one of photos/
    write_png(folder_ / "more/new.png", picture(101));
  }

  PhotosOptions options(const std::string& store) {
    return {.folders = {folder_ / "photos", folder_ / "more"}, .target = {.store = folder_ / store}, .photo = {.side = 64}, .threads = 2};
  }

  ImportReport import_parts(const PhotosOptions& options, int of) {
    for (int number = of; number >= 1; --number) import_photo_part(options, {number, of});  // any order will do
    return assemble_photo_parts({.store = options.target.store});
  }

  /// The files of a store but for manifests, whose provenance tells parts apart.
  std::map<std::string, std::uint64_t> shards(const std::string& store) { return contents(folder_ / store / "shards"); }

  Json report_without_remarks(const ImportReport& report) {
    auto json = report.json();
    json.erase("remarks");
    return json;
  }

  TemporaryFolder folder_;
};

TEST_F(PhotoParts, AssembleToTheStoreThatOneImportMakes) {
  const auto alone = import_photos(options("alone.store"));
  ASSERT_EQ(alone.counted("photos imported"), 27);
  for (const int of : {1, 2, 5, 100}) {
    const auto name = fmt::format("parts-{}.store", of);
    const auto report = import_parts(options(name), of);
    EXPECT_EQ(shards(name), shards("alone.store")) << of << " parts";
    EXPECT_EQ(report_without_remarks(report), report_without_remarks(alone)) << of << " parts";
    EXPECT_FALSE(std::filesystem::exists(folder_ / name / "parts"));
    const auto manifest = Store::open(folder_ / name)->manifest();
    EXPECT_EQ(manifest.total().photos, 27);
    EXPECT_EQ(manifest.provenance.back().at("parts"), of);
  }
}

TEST_F(PhotoParts, AppendToTheStoreThatOneImportMakes) {
  for (const auto* store : {"alone.store", "parts.store"}) {
    auto first = options(store);
    first.folders = {folder_ / "photos/a"};
    import_photos(first);
  }
  auto more = options("alone.store");
  more.target.append = true;
  const auto alone = import_photos(more);
  more.target.store = folder_ / "parts.store";
  const auto report = import_parts(more, 3);
  EXPECT_EQ(shards("parts.store"), shards("alone.store"));
  EXPECT_EQ(report_without_remarks(report), report_without_remarks(alone));
  EXPECT_GT(report.left_out("looks like a photo of the store"), 0);
  EXPECT_GT(report.left_out("looks like a photo taken before"), 0);
  EXPECT_EQ(Store::newest_generation(folder_ / "parts.store"), 2);
}

TEST_F(PhotoParts, ExcludeWhatLooksLikeAnotherStoresPhotos) {
  write_png(folder_ / "test/gallery.png", picture(7));
  auto reference = options("reference.store");
  reference.folders = {folder_ / "test"};
  import_photos(reference);
  auto alone = options("alone.store"), parts = options("parts.store");
  alone.exclude_like = parts.exclude_like = folder_ / "reference.store";
  const auto expected = import_photos(alone);
  const auto report = import_parts(parts, 4);
  EXPECT_EQ(shards("parts.store"), shards("alone.store"));
  EXPECT_EQ(report_without_remarks(report), report_without_remarks(expected));
  EXPECT_EQ(report.left_out("looks like a photo of reference.store"), 2);
}

// A photo that looks like B, which looks like A: alone, B is left out for A's sake and the third is kept, being unlike A. A part that left
// out among its own would lose the third where it holds B and not A.
TEST_F(PhotoParts, AChainOfLookAlikesIsCutWhereOneImportCutsIt) {
  std::filesystem::remove_all(folder_ / "photos");
  std::filesystem::remove_all(folder_ / "more");
  std::filesystem::create_directories(folder_ / "more");
  // Blocks that turn from grey to white, one after the other: each is near its neighbours, the ends are far from each other.
  auto image = picture(1);
  for (int step = 0; step < 12; ++step) {
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 96; ++x)
        for (int c = 0; c < 3; ++c) {
          auto& pixel = image.at(x, (step % 6) * 16 + y, c);
          pixel = static_cast<std::uint8_t>(step < 6 ? (pixel + 255) / 2 : 255);
        }
    write_png(folder_ / fmt::format("photos/{:02}.png", step), image);
  }
  const auto alone = import_photos(options("alone.store"));
  ASSERT_GT(alone.left_out("looks like a photo taken before"), 0);
  ASSERT_GT(alone.counted("photos imported"), 1);
  for (const int of : {2, 3, 7}) {
    const auto name = fmt::format("parts-{}.store", of);
    import_parts(options(name), of);
    EXPECT_EQ(shards(name), shards("alone.store")) << of << " parts";
  }
}

TEST_F(PhotoParts, ThatAreMissingOrUnfinishedAreNamed) {
  const auto wanted = options("pool.store");
  EXPECT_THAT(message_of<InputMissing>([&] { assemble_photo_parts({.store = wanted.target.store}); }), HasSubstr("no parts"));
  for (const int number : {1, 3, 4}) import_photo_part(wanted, {number, 5});
  std::filesystem::remove(folder_ / "pool.store/parts/4-of-5/part.json");  // as if it had been killed
  EXPECT_THAT(message_of<InputMissing>([&] { assemble_photo_parts({.store = wanted.target.store}); }),
              AllOf(HasSubstr("part 2, 4 and 5 are missing or unfinished"), HasSubstr("--part 2/5")));
  EXPECT_THAT(message_of<InputMissing>([&] { Store::open(wanted.target.store); }), HasSubstr("duet store assemble"));
  for (const int number : {2, 4, 5}) import_photo_part(wanted, {number, 5});
  assemble_photo_parts({.store = wanted.target.store});
  import_photos(options("alone.store"));
  EXPECT_EQ(shards("pool.store"), shards("alone.store"));
}

TEST_F(PhotoParts, APartThatIsImportedAgainReplacesTheOneBefore) {
  auto wanted = options("pool.store");
  wanted.photo.quality = 50;
  import_photo_part(wanted, {1, 2});
  wanted.photo.quality = 90;
  for (const int number : {1, 2}) import_photo_part(wanted, {number, 2});
  write_png(folder_ / "more/late.png", picture(102));
  for (const int number : {1, 2}) import_photo_part(wanted, {number, 2});  // the new photo is in one of them
  assemble_photo_parts({.store = wanted.target.store});
  import_photos(options("alone.store"));
  EXPECT_EQ(shards("pool.store"), shards("alone.store"));
}

TEST_F(PhotoParts, WithoutANewPhotoAreRemovedAndTheStoreStaysAsItIs) {
  auto wanted = options("pool.store");
  import_photos(wanted);
  wanted.target.append = true;
  EXPECT_THAT(import_parts(wanted, 3).text(), HasSubstr("stays at generation 1"));
  EXPECT_EQ(Store::newest_generation(wanted.target.store), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts"));
}

TEST_F(PhotoParts, ThatDoNotBelongTogetherAreRefused) {
  auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 2});
  wanted.photo.quality = 50;
  import_photo_part(wanted, {2, 2});
  EXPECT_THAT(message_of<DataError>([&] { assemble_photo_parts({.store = wanted.target.store}); }),
              AllOf(HasSubstr("2-of-2"), HasSubstr("'quality' (50)"), HasSubstr("(90)")));
  for (const int number : {1, 2, 3}) import_photo_part(wanted, {number, 3});
  EXPECT_THAT(message_of<DataError>([&] { assemble_photo_parts({.store = wanted.target.store}); }),
              AllOf(HasSubstr("several imports"), HasSubstr("1-of-2 and 1-of-3")));
  std::filesystem::create_directories(folder_ / "pool.store/parts/what is this");
  EXPECT_THAT(message_of<DataError>([&] { assemble_photo_parts({.store = wanted.target.store}); }), HasSubstr("what is this"));
}

TEST_F(PhotoParts, OfAnOlderGenerationAreRefused) {
  auto first = options("pool.store");
  first.folders = {folder_ / "photos/a"};
  import_photos(first);
  auto more = options("pool.store");
  more.target.append = true;
  import_photo_part(more, {1, 2});
  import_photo_part(more, {2, 2});
  auto meanwhile = more;
  meanwhile.folders = {folder_ / "more"};
  EXPECT_THAT(message_of<CannotCreate>([&] { import_photos(meanwhile); }), HasSubstr("parts of an import lie there"));
  std::filesystem::rename(folder_ / "pool.store/parts", folder_ / "parts");
  import_photos(meanwhile);
  std::filesystem::rename(folder_ / "parts", folder_ / "pool.store/parts");
  EXPECT_THAT(message_of<DataError>([&] { assemble_photo_parts({.store = more.target.store}); }),
              AllOf(HasSubstr("generation 1, "), HasSubstr("generation 2, ")));
  EXPECT_EQ(Store::newest_generation(more.target.store), 2);
  EXPECT_THAT(message_of<CannotCreate>([&] { import_photo_part(options("pool.store"), {1, 2}); }), HasSubstr("--append"));
}

TEST_F(PhotoParts, AnAssemblyThatWasKilledAfterItsCommitOnlyRemovesTheParts) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 2});
  import_photo_part(wanted, {2, 2});
  std::filesystem::copy(folder_ / "pool.store/parts", folder_ / "saved", std::filesystem::copy_options::recursive);
  assemble_photo_parts({.store = wanted.target.store});
  std::filesystem::rename(folder_ / "saved", folder_ / "pool.store/parts");
  std::filesystem::create_directories(folder_ / "pool.store/parts.assembled/1-of-9");
  EXPECT_THAT(assemble_photo_parts({.store = wanted.target.store}).text(), HasSubstr("assembled before, as generation 1"));
  EXPECT_EQ(Store::newest_generation(wanted.target.store), 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts.assembled"));
}

TEST_F(PhotoParts, AStoppedAssemblyLeavesThePartsForTheNext) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 2});
  import_photo_part(wanted, {2, 2});
  int calls = 0;
  const ImportHooks stopping{.progress = {}, .stop = [&] { return ++calls > 10; }};
  EXPECT_THROW(assemble_photo_parts({.store = wanted.target.store}, stopping), Interrupted);
  EXPECT_FALSE(is_store(wanted.target.store));
  assemble_photo_parts({.store = wanted.target.store});
  import_photos(options("alone.store"));
  EXPECT_EQ(shards("pool.store"), shards("alone.store"));
}

TEST_F(PhotoParts, AStoppedPartIsUnfinished) {
  const auto wanted = options("pool.store");
  int calls = 0;
  const ImportHooks stopping{.progress = {}, .stop = [&] { return ++calls > 3; }};
  EXPECT_THROW(import_photo_part(wanted, {1, 1}, stopping), Interrupted);
  EXPECT_EQ(read_part(folder_ / "pool.store/parts/1-of-1"), std::nullopt);
  import_photo_part(wanted, {1, 1});
  EXPECT_NE(read_part(folder_ / "pool.store/parts/1-of-1"), std::nullopt);
}

// A part that was imported once more after its import had been assembled.
TEST_F(PhotoParts, ThatNeverBecameCompleteAreInNobodysWay) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {2, 2});
  import_parts(wanted, 3);
  import_photos(options("alone.store"));
  EXPECT_EQ(shards("pool.store"), shards("alone.store"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts"));
}

TEST_F(PhotoParts, ThatAreBeingWrittenAreNotAssembled) {
  const auto wanted = options("pool.store");
  for (const int number : {1, 2}) import_photo_part(wanted, {number, 2});
  for (const auto* at : {"parts", "parts/2-of-2"}) {
    const WriterLock held(folder_ / "pool.store" / at);
    EXPECT_THROW(assemble_photo_parts({.store = wanted.target.store}), PartsIncomplete) << at;
  }
  EXPECT_FALSE(is_store(wanted.target.store));
  assemble_photo_parts({.store = wanted.target.store});
}

/// Holds the lock of a folder for a moment.
std::jthread passing_lock(const std::filesystem::path& folder) {
  auto held = std::make_unique<WriterLock>(folder);
  return std::jthread([held = std::move(held)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    held.reset();
  });
}

TEST_F(PhotoParts, WhoIsJustLeavingIsWaitedFor) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 2});
  {
    const auto passing = passing_lock(folder_ / "pool.store/parts");
    EXPECT_NO_THROW(import_photo_part(wanted, {2, 2}));
  }
  const auto passing = passing_lock(folder_ / "pool.store/parts/2-of-2");
  EXPECT_NO_THROW(assemble_photo_parts({.store = wanted.target.store}));
}

TEST_F(PhotoParts, AreNotBegunWhileOthersAreAssembled) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 2});
  const WriterLock assembly(folder_ / "pool.store/parts");
  EXPECT_THAT(message_of<WriterBusy>([&] { import_photo_part(wanted, {1, 16}); }), HasSubstr("pool.store/parts"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts/1-of-16"));
  EXPECT_THAT(message_of<PartsIncomplete>([&] { assemble_photo_parts({.store = wanted.target.store}); }), HasSubstr("part 2 is missing"));
}

TEST_F(PhotoParts, WhatAKilledAssemblyLeftGoesWithTheNext) {
  const auto wanted = options("pool.store");
  import_parts(wanted, 2);
  std::filesystem::create_directories(folder_ / "pool.store/parts.assembled/1-of-9");
  EXPECT_THROW(assemble_photo_parts({.store = wanted.target.store}), PartsIncomplete);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store/parts.assembled"));
}

TEST_F(PhotoParts, NeedFewOpenFilesHoweverManyShardsTheyHave) {
  const auto wanted = options("pool.store");
  for (int number = 1; number <= 60; ++number) import_photo_part(wanted, {number, 60});
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit few{100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_NO_THROW(assemble_photo_parts({.store = wanted.target.store})) << "raises its limit itself";
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(PhotoParts, AStoreWithoutPhotosExcludesNothingAndIsRefused) {
  {
    auto writer = StoreWriter::create(folder_ / "strokes.store", StoreKind::strokes);
    writer.add_sketch({.id = "s", .points = {{1, 1, 0}, {2, 2, 1}}});
    writer.commit(Json::object());
  }
  auto wanted = options("pool.store");
  wanted.exclude_like = folder_ / "strokes.store";
  EXPECT_THAT(message_of<UsageError>([&] { import_photo_part(wanted, {1, 1}); }), HasSubstr("--exclude-like"));
  EXPECT_THAT(message_of<UsageError>([&] { import_photos(wanted); }), HasSubstr("--exclude-like"));
}

TEST_F(PhotoParts, TwoProcessesAtOnePartExcludeEachOther) {
  const auto wanted = options("pool.store");
  std::filesystem::create_directories(folder_ / "pool.store/parts/1-of-2");
  const WriterLock held(folder_ / "pool.store/parts/1-of-2");
  EXPECT_THAT(message_of<CannotWrite>([&] { import_photo_part(wanted, {1, 2}); }), HasSubstr("1-of-2"));
  import_photo_part(wanted, {2, 2});
}

TEST_F(PhotoParts, DamageIsFoundBeforeAnythingIsMade) {
  const auto wanted = options("pool.store");
  import_photo_part(wanted, {1, 1});
  const auto part = folder_ / "pool.store/parts/1-of-1";
  const auto undamaged = read_file(part / "candidates.jsonl");
  const auto refused = [&] { return message_of<DataError>([&] { assemble_photo_parts({.store = wanted.target.store}); }); };
  auto damaged = undamaged;
  damaged[damaged.size() / 2] ^= 1;
  write_text(part / "candidates.jsonl", damaged);
  EXPECT_THAT(refused(), AllOf(HasSubstr("candidates.jsonl"), HasSubstr("not as it was written")));
  write_text(part / "candidates.jsonl", undamaged);
  const auto record = read_file(part / "part.json");
  write_text(part / "part.json", "{");
  EXPECT_THAT(refused(), HasSubstr("part.json"));
  write_text(part / "part.json", std::string(record).replace(record.find("\"settings\": {"), 13, "\"settings\": 7, \"x\": {"));
  EXPECT_THAT(refused(), HasSubstr("'settings'"));
  write_text(part / "part.json", record);
  for (const auto& shard : std::filesystem::directory_iterator(part / "photos/shards")) {
    auto bytes = read_file(shard.path());
    bytes[bytes.size() / 3] ^= 1;
    write_text(shard.path(), bytes);
  }
  EXPECT_THAT(refused(), HasSubstr("1-of-1/photos"));
  EXPECT_FALSE(is_store(wanted.target.store));
}

TEST_F(PhotoParts, AFullDiskLeavesAnUnfinishedPart) {
  const auto wanted = options("pool.store");
  {
    const FullDisk full(4096);
    EXPECT_THROW(import_photo_part(wanted, {1, 1}), CannotWrite);
  }
  EXPECT_EQ(read_part(folder_ / "pool.store/parts/1-of-1"), std::nullopt);
  import_photo_part(wanted, {1, 1});
  assemble_photo_parts({.store = wanted.target.store});
}

TEST_F(PhotoParts, OutOfRangeAreAUsageError) {
  for (const auto& [number, of] : {std::pair(0, 1), std::pair(3, 2), std::pair(1, 0), std::pair(1, 100'000)})
    EXPECT_THAT(message_of<UsageError>([&] { import_photo_part(options("pool.store"), {number, of}); }), StartsWith("--part"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store"));
}

TEST_F(PhotoParts, TheOrderOfNamesIsThatOfTheWalk) {
  std::vector<std::string> names;
  PhotoTree tree(folder_ / "photos");
  while (auto file = tree.next()) names.push_back(file->name);
  ASSERT_THAT(names, Contains("a.b/01.png"));
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < names.size(); ++j)
      EXPECT_EQ(PhotoTree::comes_before(names[i], names[j]), i < j) << names[i] << " " << names[j];
}

}  // namespace
}  // namespace duet
