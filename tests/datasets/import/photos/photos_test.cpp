#include "datasets/import/photos/photos.h"

#include <gmock/gmock.h>

#include <set>

#include "datasets/import/photos/id_journal.h"
#include "datasets/import/photos/ordered_workers.h"
#include "datasets/import/photos/prepared_photo.h"
#include "datasets/store/store.h"
#include "tests/datasets/import/fixtures.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using testing::FullDisk;
using ::testing::HasSubstr;
using testing::message_of;
using testing::picture;
using testing::write_jpeg;
using testing::write_png;
using testing::write_text;

class Photos : public ::testing::Test {
 protected:
  PhotosOptions options(const std::string& store = "pool.store") {
    PhotosOptions options{.folders = {folder_ / "photos"}, .exclude_like = {}, .target = {.store = folder_ / store}, .photo = {.side = 64}};
    options.threads = 2;
    return options;
  }

  std::vector<std::string> ids(const std::string& store = "pool.store") {
    std::vector<std::string> out;
    const auto view = Store::open(folder_ / store)->view("all");
    for (std::int64_t i = 0; i < view.photo_count(); ++i) out.push_back(view.photo_info(i).id);
    return out;
  }

  TemporaryFolder folder_;
};

TEST_F(Photos, AWholeTreeIsReadByContentInTheOrderOfNames) {
  write_jpeg(folder_ / "photos/b.jpg", picture(1));
  write_png(folder_ / "photos/a.JPEG", picture(2));  // a PNG with a wrong name
  write_png(folder_ / "photos/deep/er/c", picture(3));
  write_png(folder_ / "photos/.hidden/d.png", picture(4));
  write_text(folder_ / "photos/notes.txt", "no photo");
  write_text(folder_ / "photos/lies.png", "no photo either");
  const auto report = import_photos(options());
  EXPECT_THAT(ids(), ElementsAre("a.JPEG", "b.jpg", "deep/er/c"));
  EXPECT_EQ(report.left_out("no readable photo"), 2);
  EXPECT_THAT(report.text(), HasSubstr("lies.png"));
  const auto store = Store::open(folder_ / "pool.store");
  EXPECT_EQ(store->kind(), StoreKind::pool);
  EXPECT_THAT(store->splits(), ElementsAre("train"));
  EXPECT_EQ(store->view("all").photo_info(0).width, 64);
}

TEST_F(Photos, SeveralFoldersKeepTheirPhotosApart) {
  write_png(folder_ / "one/same/x.png", picture(1));
  write_png(folder_ / "two/same/x.png", picture(2));
  auto two = options();
  two.folders = {folder_ / "one/same", folder_ / "two/same"};
  import_photos(two);
  EXPECT_THAT(ids(), ElementsAre("same/x.png", "same-2/x.png"));
}

TEST_F(Photos, LinksThatLeaveTheTreeAreNotFollowed) {
  write_png(folder_ / "photos/inside.png", picture(1));
  write_png(folder_ / "outside/secret.png", picture(2));
  std::filesystem::create_symlink(folder_ / "outside/secret.png", folder_ / "photos/link.png");
  std::filesystem::create_directory_symlink(folder_ / "outside", folder_ / "photos/folder");
  std::filesystem::create_directory_symlink(folder_ / "photos", folder_ / "photos/loop");
  std::filesystem::create_symlink(folder_ / "photos/nothing", folder_ / "photos/dangling.png");
  ASSERT_EQ(mkfifo((folder_ / "photos/pipe.png").c_str(), 0600), 0);  // reading it would wait for ever
  const auto report = import_photos(options());
  EXPECT_THAT(ids(), ElementsAre("inside.png"));
  EXPECT_EQ(report.left_out("passed over"), 5);
}

TEST_F(Photos, LinksAreFollowedOnRequestAndEachFolderIsEnteredOnce) {
  write_png(folder_ / "photos/inside.png", picture(1));
  write_png(folder_ / "outside/a.png", picture(2));
  write_png(folder_ / "outside/deep/b.png", picture(3));
  write_png(folder_ / "elsewhere/c.png", picture(4));
  std::filesystem::create_symlink(folder_ / "elsewhere/c.png", folder_ / "photos/link.png");
  std::filesystem::create_symlink(folder_ / "photos/nothing", folder_ / "photos/dangling.png");
  std::filesystem::create_directory_symlink(folder_ / "outside", folder_ / "photos/folder");
  std::filesystem::create_directory_symlink(folder_ / "outside", folder_ / "photos/the same");
  std::filesystem::create_directory_symlink(folder_ / "photos", folder_ / "outside/deep/circle");
  EXPECT_THAT(import_photos(options()).text(), HasSubstr("--follow-links"));
  auto followed = options("followed.store");
  followed.links = PhotoTree::Links::followed;
  const auto report = import_photos(followed);
  EXPECT_THAT(ids("followed.store"), ElementsAre("inside.png", "link.png", "folder/a.png", "folder/deep/b.png"));
  EXPECT_EQ(report.left_out("passed over"), 3);
  EXPECT_THAT(report.text(), ::testing::AllOf(HasSubstr("dangling.png"), HasSubstr("the same"), HasSubstr("circle")));
}

TEST_F(Photos, AnotherPhotoOfTheSameNameGetsAnIdOfItsOwn) {
  write_png(folder_ / "photos/a.png", picture(1));
  import_photos(options());
  write_png(folder_ / "later/a.png", picture(2));
  write_png(folder_ / "later/caf\xe9.png", picture(3));  // no text, and its twin in text
  write_png(folder_ / "later/caf\\xe9.png", picture(4));
  const std::string deep(250, 'd'), path = "later/" + deep + "/" + deep + "/" + deep + "/" + deep;
  write_png(folder_ / path / "one.png", picture(5));  // longer than an id may be
  write_png(folder_ / path / "two.png", picture(6));
  auto more = options();
  more.folders = {folder_ / "later"};
  more.target.append = true;
  const auto report = import_photos(more);
  const auto all = ids();
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 6u);
  EXPECT_EQ(all[1].substr(0, 6), "a.png#");
  EXPECT_EQ(report.pointed_out("another photo of the same name; its id got an addition"), 3);
  const auto view = Store::open(folder_ / "pool.store")->view("all");
  EXPECT_EQ(view.find_photo(all[1]), 1);
  import_photos(options("alone.store"));
  EXPECT_THAT(ids("alone.store"), ElementsAre("a.png"));
}

TEST_F(Photos, AnImageOfAbsurdSizeIsRefusedFromItsHeader) {
  write_png(folder_ / "photos/fine.png", picture(1));
  auto bytes = read_file(folder_ / "photos/fine.png");
  // Width and height of the PNG's header: 60,000 each. (The header's checksum is then wrong too, but nothing has been taken by then.)
  bytes.replace(16, 8, std::string("\x00\x00\xea\x60\x00\x00\xea\x60", 8));
  write_text(folder_ / "photos/absurd.png", bytes);
  const auto report = import_photos(options());
  EXPECT_EQ(report.left_out("no readable photo"), 1);
  EXPECT_THAT(report.text(), HasSubstr("absurd.png"));
  EXPECT_THAT(ids(), ElementsAre("fine.png"));
}

TEST_F(Photos, NearDuplicatesAreDroppedAndListedWithTheirOriginal) {
  write_png(folder_ / "photos/a.png", picture(1));
  write_jpeg(folder_ / "photos/b.jpg", resize(picture(1), 72, 72), 50);
  write_png(folder_ / "photos/c.png", picture(2));
  const auto report = import_photos(options());
  EXPECT_THAT(ids(), ElementsAre("a.png", "c.png"));
  EXPECT_EQ(report.left_out("looks like a photo taken before"), 1);
  EXPECT_THAT(report.text(), HasSubstr("b.jpg: a.png"));
}

TEST_F(Photos, PhotosThatLookLikeAnotherStoresAreLeftOut) {
  write_png(folder_ / "test/gallery.png", picture(1));
  write_png(folder_ / "test/other.png", picture(9));
  auto reference = options("reference.store");
  reference.folders = {folder_ / "test"};
  import_photos(reference);
  write_jpeg(folder_ / "photos/a.jpg", resize(picture(1), 80, 80));
  write_png(folder_ / "photos/b.png", picture(2));
  auto with = options();
  with.exclude_like = folder_ / "reference.store";
  const auto report = import_photos(with);
  EXPECT_THAT(ids(), ElementsAre("b.png"));
  EXPECT_EQ(report.left_out("looks like a photo of reference.store"), 1);
  EXPECT_THAT(report.text(), HasSubstr("a.jpg: gallery.png"));
}

TEST_F(Photos, AppendingAddsAGenerationWithoutWhatIsThere) {
  write_png(folder_ / "photos/a.png", picture(1));
  import_photos(options());
  write_png(folder_ / "photos/b.png", picture(2));
  write_png(folder_ / "photos/c.png", picture(2));
  EXPECT_THAT(message_of<CannotCreate>([&] { import_photos(options()); }), HasSubstr("--append"));
  EXPECT_THAT(ids(), ElementsAre("a.png"));
  auto more = options();
  more.target.append = true;
  const auto report = import_photos(more);
  EXPECT_EQ(report.left_out("looks like a photo of the store"), 1);
  EXPECT_EQ(report.left_out("looks like a photo taken before"), 1);
  EXPECT_THAT(report.text(), HasSubstr("c.png: b.png"));
  EXPECT_THAT(ids(), ElementsAre("a.png", "b.png"));
  EXPECT_EQ(Store::open(folder_ / "pool.store", 1)->view("all").photo_count(), 1) << "the older generation is still there";
  EXPECT_THAT(import_photos(more).text(), HasSubstr("No photo is new: the store stays at generation 2."));
  EXPECT_EQ(Store::newest_generation(folder_ / "pool.store"), 2);
}

TEST_F(Photos, AStoreOfAnotherKindIsNotAppendedTo) {
  write_png(folder_ / "photos/a.png", picture(1));
  {
    auto writer = StoreWriter::create(folder_ / "strokes.store", StoreKind::strokes);
    writer.add_sketch({.id = "s", .points = {{1, 1, 0}, {2, 2, 1}}});
    writer.commit(Json::object());
  }
  auto more = options("strokes.store");
  more.target.append = true;
  EXPECT_THAT(message_of<UsageError>([&] { import_photos(more); }), HasSubstr("kind 'strokes'"));
}

TEST_F(Photos, TheStoreIsTheSameForAnyNumberOfThreads) {
  // Large and small files in turn, so that threads finish out of order; every fourth a duplicate of the one before.
  for (std::uint64_t i = 0; i < 60; ++i)
    write_png(folder_ / ("photos/" + std::to_string(100 + i) + ".png"),
              picture(i % 4 == 3 ? i - 1 : i, i % 2 ? 60 : 360, i % 2 ? 60 : 360));
  std::vector<std::map<std::string, std::uint64_t>> stores;
  for (const int threads : {1, 3, 8}) {
    auto with = options("pool" + std::to_string(threads));
    with.threads = threads;
    import_photos(with);
    stores.push_back(testing::contents(with.target.store));
  }
  EXPECT_EQ(Store::open(folder_ / "pool1")->view("all").photo_count(), 45);
  EXPECT_EQ(stores[0], stores[1]);
  EXPECT_EQ(stores[0], stores[2]);
}

TEST_F(Photos, AFullDiskLeavesTheStoreAsItWas) {
  write_png(folder_ / "photos/a.png", picture(1));
  import_photos(options());
  const auto before = testing::contents(folder_ / "pool.store");
  for (std::uint64_t i = 10; i < 20; ++i) write_png(folder_ / ("photos/" + std::to_string(i) + ".png"), picture(i));
  auto more = options();
  more.target.append = true;
  {
    const FullDisk disk(3000);
    EXPECT_THAT(message_of<CannotWrite>([&] { import_photos(more); }), HasSubstr("pool.store"));
  }
  EXPECT_EQ(testing::contents(folder_ / "pool.store"), before);
  EXPECT_EQ(import_photos(more).counted("photos imported"), 10);
}

TEST_F(Photos, StoppingLeavesTheStoreAsItWas) {
  write_png(folder_ / "photos/a.png", picture(1));
  import_photos(options());
  const auto before = testing::contents(folder_ / "pool.store");
  for (std::uint64_t i = 10; i < 20; ++i) write_png(folder_ / ("photos/" + std::to_string(i) + ".png"), picture(i));
  auto more = options();
  more.target.append = true;
  std::int64_t last_total = 0;
  const ImportHooks hooks{.progress = [&](std::int64_t, std::int64_t total) { last_total = total; },
                          .stop = [&] { return last_total > 0; }};
  EXPECT_THROW(import_photos(more, hooks), Interrupted);
  EXPECT_EQ(last_total, 11);
  EXPECT_EQ(testing::contents(folder_ / "pool.store"), before);
}

TEST_F(Photos, AFolderWithoutPhotosIsAnError) {
  write_text(folder_ / "photos/notes.txt", "nothing");
  EXPECT_THAT(message_of<DataError>([&] { import_photos(options()); }), HasSubstr("notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "pool.store"));
  auto missing = options();
  missing.folders = {folder_ / "nowhere"};
  EXPECT_THAT(message_of<InputMissing>([&] { import_photos(missing); }), HasSubstr("nowhere"));
}

TEST_F(Photos, ALimitOfOpenFilesIsNoDamageOfThePhoto) {
  write_png(folder_ / "a.png", picture(1));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &none);
  try {
    const auto photo = prepare_photo(folder_ / "a.png", {});
    ADD_FAILURE() << photo.fault;
  } catch (const Unavailable&) {
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(Photos, ALimitOfOpenFilesLeavesNoFolderOut) {
  write_png(folder_ / "photos/deep/a.png", picture(1));
  PhotoTree tree(folder_ / "photos");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  ::setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_THROW(tree.next(), Unavailable);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(Photos, OptionsOutOfRangeAreNamed) {
  auto wrong = options();
  wrong.photo.side = 0;
  EXPECT_THAT(message_of<UsageError>([&] { import_photos(wrong); }), HasSubstr("--side"));
  wrong = options();
  wrong.photo.quality = 101;
  EXPECT_THAT(message_of<UsageError>([&] { import_photos(wrong); }), HasSubstr("--quality"));
}

TEST_F(Photos, NamesThatAreNoTextBecomeText) {
  write_png(folder_ / "photos" / "caf\xe9.png", picture(1));  // Latin-1
  write_png(folder_ / "photos" / "gr\xc3\xbcn.png", picture(2));
  import_photos(options());
  EXPECT_THAT(ids(), ElementsAre("caf\\xe9.png", "gr\xc3\xbcn.png"));
}

}  // namespace
}  // namespace duet
