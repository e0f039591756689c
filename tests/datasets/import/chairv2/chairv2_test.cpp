#include "datasets/import/chairv2/chairv2.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>

#include "datasets/store/store.h"
#include "tests/datasets/import/fixtures.h"
#include "tests/datasets/import/pickle_builder.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using testing::FullDisk;
using ::testing::HasSubstr;
using testing::message_of;
using testing::PickleBuilder;
using testing::picture;
using testing::write_png;
using testing::write_text;

const std::vector<double> kSketch = {33, 40.5, 0, 223, 60, 1, 50, 50, 0, 60, 200.25, 1};

class Chairv2 : public ::testing::Test {
 protected:
  void photos(const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) write_png(folder_ / ("photo/" + names[i] + ".png"), picture(i));
  }

  Chairv2Options options() {
    Chairv2Options options{
        .photos = {folder_ / "photo"}, .coordinates = folder_ / "coordinates", .target = {.store = folder_ / "out.store"}};
    options.photo.side = 64;
    options.threads = 2;
    return options;
  }

  void write_coordinates(const PickleBuilder& builder) { write_text(folder_ / "coordinates", builder.finish()); }

  ImportReport import(const PickleBuilder& builder) {
    write_coordinates(builder);
    return import_chairv2(options());
  }

  StoreView view(const std::string& split = "all") { return Store::open(folder_ / "out.store")->view(split); }

  std::vector<std::string> photo_ids(const std::string& split) {
    std::vector<std::string> ids;
    const auto part = view(split);
    for (std::int64_t i = 0; i < part.photo_count(); ++i) ids.push_back(part.photo_info(i).id);
    return ids;
  }

  void expect_no_store() { EXPECT_FALSE(std::filesystem::exists(folder_ / "out.store" / "manifest.json")); }

  TemporaryFolder folder_;
};

TEST_F(Chairv2, PairsKeepTheirPhotosSplitsAndCoordinates) {
  photos({"a_b-c", "d_v1", "e", "f", "g"});
  PickleBuilder builder;
  builder.add("/train/a_b-c_1", kSketch).add("/train/d_v1_12", kSketch).add("/test/g_1", kSketch).add("/train/a_b-c_AX7", kSketch);
  builder.add("/train/e_1", kSketch).add("/train/f_1", kSketch);
  const auto report = import(builder);
  EXPECT_EQ(report.counted("photos imported"), 5);
  EXPECT_EQ(report.counted("sketches imported"), 6);
  EXPECT_EQ(report.left_out(), 0);
  // Positions 0 and 3 of the sorted training photos validate.
  EXPECT_THAT(photo_ids("train"), ElementsAre("d_v1", "e"));
  EXPECT_THAT(photo_ids("validation"), ElementsAre("a_b-c", "f"));
  EXPECT_THAT(photo_ids("test"), ElementsAre("g"));
  const auto validation = view("validation");
  const auto info = validation.photo_info(0);
  ASSERT_EQ(info.sketch_count, 2);
  EXPECT_EQ(info.width, 64);
  const auto sketch = validation.read_sketch(info.first_sketch);
  EXPECT_EQ(sketch.id, "a_b-c_1");
  EXPECT_THAT(sketch.points,
              ElementsAre(SketchPoint{33, 40.5, 0}, SketchPoint{223, 60, 1}, SketchPoint{50, 50, 0}, SketchPoint{60, 200.25, 1}));
  EXPECT_EQ(validation.read_sketch(info.first_sketch + 1).id, "a_b-c_AX7");
}

TEST_F(Chairv2, AllUsualNamesOfThePictureFormatsAreFound) {
  photos({"a"});
  PickleBuilder builder;
  builder.add("/train/a_1", kSketch);
  for (const std::string extension : {"apng", "JPG", "jpeg", "jpe", "jfif", "mpo", "webp"}) {
    write_png(folder_ / ("photo/" + extension + "." + extension), picture(std::size_t{20} + extension.size()));  // told by content
    builder.add("/train/" + extension + "_1", kSketch);
  }
  const auto report = import(builder);
  EXPECT_EQ(report.left_out(), 0) << report.text();
  EXPECT_EQ(report.counted("photos imported"), 8);
}

TEST_F(Chairv2, TheSourcesOwnValidationPartIsKept) {
  photos({"a", "b", "c"});
  import(PickleBuilder().add("/train/a_1", kSketch).add("/val/b_1", kSketch).add("/train/c_1", kSketch));
  EXPECT_THAT(photo_ids("train"), ElementsAre("a", "c"));
  EXPECT_THAT(photo_ids("validation"), ElementsAre("b"));
}

TEST_F(Chairv2, OrphansAreListed) {
  photos({"a", "b", "lonely"});
  const auto report = import(PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/train/missing_1", kSketch));
  EXPECT_EQ(report.left_out("sketch without photo"), 1);
  EXPECT_EQ(report.left_out("photo without sketch"), 1);
  EXPECT_THAT(report.text(), HasSubstr("/train/missing_1"));
  EXPECT_THAT(report.text(), HasSubstr("lonely.png"));
  EXPECT_EQ(view().photo_count(), 2);
}

TEST_F(Chairv2, KeysOfAnotherFormAreListedAndLeftOut) {
  photos({"a", "b"});
  PickleBuilder builder;
  builder.add("/train/a_1", kSketch).add("/train/b_1", kSketch);
  const std::vector<std::string> wrong = {"a_1",          "/train/a1", "/train/_1",     "/train/a_",        "/dev/a_1",
                                          "/train/x/a_1", "",          "/train/../a_1", "/train/a\x1b[2J_1"};
  for (const auto& key : wrong) builder.add(key, kSketch);
  const auto report = import(builder);
  EXPECT_EQ(report.left_out("key is not '/<split>/<photo>_<n>'"), static_cast<std::int64_t>(wrong.size()));
  EXPECT_EQ(report.text().find('\x1b'), std::string::npos) << "an untrusted key reached the terminal";
  EXPECT_EQ(report.counted("sketches imported"), 2);
}

TEST_F(Chairv2, WhatStandsBesideTheSketchesIsListed) {
  photos({"a"});
  const auto report = import(PickleBuilder().add("/train/a_1", kSketch).text("version").raw("K\x07"));
  EXPECT_EQ(report.counted("sketches imported"), 1);
  EXPECT_EQ(report.left_out("entry of the coordinate file that is no array of numbers"), 1);
  EXPECT_THAT(report.text(), HasSubstr("the value of 'version' is an integer, not an array"));
}

TEST_F(Chairv2, OnlyWrongKeysMeanNoStore) {
  photos({"a"});
  EXPECT_THAT(message_of<DataError>([&] { import(PickleBuilder().add("sketch 1", kSketch)); }), HasSubstr("the first is 'sketch 1'"));
  expect_no_store();
}

TEST_F(Chairv2, ArraysThatAreNoSketchAreListedWithTheirReason) {
  photos({"a", "b"});
  const double nan = std::nan(""), infinite = std::numeric_limits<double>::infinity();
  PickleBuilder builder;
  builder.add("/train/a_1", kSketch).add("/train/b_1", kSketch);
  builder.add_raw("/train/a_2", {0, 3}, "");        // of no length
  builder.add("/train/a_3", {1, 2, 0, nan, 3, 1});  // not a number
  builder.add("/train/a_4", {1, 2, 0, 3, infinite, 1});
  builder.add("/train/a_5", {1, 2, 0, 3, 4, 0.5});  // a pen between up and down
  builder.add("/train/a_6", {7, 7, 0, 7, 7, 1});    // of no extent
  builder.add("/train/a_7", {1, 2, 3, 4}, 2);       // two columns
  builder.add("/train/a_8", {1, 2, 0, 1e300, 4, 1});
  const auto report = import(builder);
  EXPECT_EQ(report.left_out("not a usable sketch"), 7);
  for (const char* id : {"a_2", "a_3", "a_4", "a_5", "a_6", "a_7", "a_8"}) EXPECT_THAT(report.text(), HasSubstr(id));
  EXPECT_EQ(view().sketch_count(), 2);
}

TEST_F(Chairv2, AnUnendedLastStrokeIsEnded) {
  photos({"a"});
  const auto report = import(PickleBuilder().add("/train/a_1", {1, 2, 0, 30, 40, 0}));
  EXPECT_EQ(report.pointed_out("last stroke was not ended in the source; it is in the store"), 1);
  EXPECT_THAT(view().read_sketch(0).points, ElementsAre(SketchPoint{1, 2, 0}, SketchPoint{30, 40, 1}));
}

/// Points of a drawing in one stroke, somewhere in the middle of the canvas.
Sketch drawn(std::uint64_t number) {
  KeyedRandom random(3, Purpose::test, 0, number);
  Sketch sketch;
  for (int i = 0; i < 20; ++i) {
    const double angle = 0.33 * i + random.uniform(-0.05, 0.05);
    sketch.push_back({128 + 95 * std::cos(angle), 128 + random.uniform(88, 95) * std::sin(angle), i == 9 || i == 19 ? 1.0 : 0.0});
  }
  return sketch;
}

template <typename Change>
PickleBuilder drawn_file(Change change) {
  PickleBuilder builder;
  std::uint64_t number = 0;
  for (const char* photo : {"a", "b", "c", "d"}) {
    std::vector<double> values;
    for (const auto& point : change(drawn(number++))) values.insert(values.end(), {point.x, point.y, point.pen});
    builder.add(fmt::format("/train/{}_1", photo), values);
  }
  return builder;
}

Sketch scaled(Sketch sketch, double factor, double shift = 0) {
  for (auto& point : sketch) point = {point.x * factor + shift, point.y * factor + shift, point.pen};
  return sketch;
}

Sketch differences(Sketch sketch) {
  for (std::size_t i = sketch.size(); i-- > 1;) sketch[i] = {sketch[i].x - sketch[i - 1].x, sketch[i].y - sketch[i - 1].y, sketch[i].pen};
  return sketch;
}

TEST_F(Chairv2, CoordinatesOfAnotherCanvasAreRefusedUntilTheUserSaysWhich) {
  photos({"a", "b", "c", "d"});
  const auto proper = import(drawn_file([](Sketch sketch) { return sketch; }));
  EXPECT_EQ(proper.pointed_out(), 0) << proper.text();
  std::filesystem::remove_all(folder_ / "out.store");

  struct Case {
    const char* canvas;
    const char* seen;
    std::function<Sketch(Sketch)> change;
  };
  const std::vector<Case> cases = {
      {"800", "a canvas of about 800 pixels", [](Sketch sketch) { return scaled(sketch, 800 / 256.); }},
      {"64", "a canvas of about 64 pixels", [](Sketch sketch) { return scaled(sketch, 0.25); }},
      {"unit", "a unit square", [](Sketch sketch) { return scaled(sketch, 1 / 256.); }},
      {"fit", "coordinates about an origin in the middle", [](Sketch sketch) { return scaled(sketch, 1 / 128., -1); }},
      {"offsets", "offsets from point to point", differences},
  };
  for (const auto& [canvas, seen, change] : cases) {
    const auto file = drawn_file(change);
    EXPECT_THAT(message_of<DataError>([&] { import(file); }), HasSubstr(seen)) << canvas;
    EXPECT_THAT(message_of<DataError>([&] { import(file); }), HasSubstr(fmt::format("`--canvas {}`", canvas)));
    expect_no_store();
    auto said = options();
    said.canvas = SourceCanvas::from(canvas);
    EXPECT_EQ(import_chairv2(said).pointed_out(), 0) << canvas;
    const auto points = view().read_sketch(0).points;
    auto expected = drawn(0);
    if (said.canvas.kind != SourceCanvas::Kind::square) fit_to_canvas(expected);
    ASSERT_EQ(points.size(), expected.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
      EXPECT_NEAR(points[i].x, expected[i].x, 1e-6) << canvas;
      EXPECT_NEAR(points[i].y, expected[i].y, 1e-6) << canvas;
    }
    std::filesystem::remove_all(folder_ / "out.store");
  }

  write_coordinates(drawn_file([](Sketch sketch) { return scaled(sketch, 800 / 256.); }));
  auto believed = options();
  believed.canvas = SourceCanvas::from("256");
  const auto report = import_chairv2(believed);
  EXPECT_THAT(report.json()["remarks"].dump(), HasSubstr("a canvas of about 800 pixels"));
  EXPECT_GT(report.pointed_out("sketch reaches beyond the canvas of 256 pixels; what lies outside is not drawn"), 0);
  for (const char* wrong : {"", "0", "-3", "nan", "800px", "units"}) EXPECT_THROW(SourceCanvas::from(wrong), UsageError) << wrong;
}

TEST_F(Chairv2, OneSketchOfAnotherCanvasIsPointedOut) {
  photos({"a", "b", "c", "d"});
  int number = 0;
  const auto report = import(drawn_file([&](Sketch sketch) { return number++ == 1 ? scaled(sketch, 1 / 256.) : sketch; }));
  EXPECT_EQ(report.pointed_out("sketch is smaller than 8 pixels on the canvas of 256"), 1);
  EXPECT_THAT(report.text(), HasSubstr("b_1"));
}

TEST_F(Chairv2, AFileOfAnotherKindIsNamed) {
  photos({"a"});
  write_text(folder_ / "coordinates", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 99\n");
  EXPECT_THAT(message_of<DataError>([&] { import_chairv2(options()); }), HasSubstr("git lfs pull"));
  expect_no_store();
}

TEST_F(Chairv2, APhotoThatIsNoneGoesWithItsSketches) {
  photos({"a", "b"});
  write_text(folder_ / "photo/broken.png", "no picture at all");
  write_text(folder_ / "photo/cut.png", read_file(folder_ / "photo/a.png").substr(0, 100));
  const auto report = import(
      PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/train/broken_1", kSketch).add("/train/cut_1", kSketch));
  EXPECT_EQ(report.left_out("photo cannot be read"), 2);
  EXPECT_THAT(report.text(), HasSubstr("broken.png"));
  EXPECT_EQ(view().photo_count(), 2);
  EXPECT_EQ(view().sketch_count(), 2);
}

TEST_F(Chairv2, ATestPhotoStaysOutOfTrainingWhateverTheKeysSay) {
  photos({"a", "b", "c"});
  const auto report =
      import(PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/test/b_2", kSketch).add("/train/c_1", kSketch));
  EXPECT_EQ(report.left_out("sketch of another split than its photo"), 1);
  EXPECT_THAT(photo_ids("test"), ElementsAre("b"));
  EXPECT_EQ(view("test").sketch_count(), 1);
}

TEST_F(Chairv2, LookAlikesAcrossSplitsArePointedOut) {
  photos({"a", "b", "c"});
  write_png(folder_ / "photo/z.png", resize(picture(1), 80, 80));  // b once more, smaller
  const auto report =
      import(PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/train/c_1", kSketch).add("/test/z_1", kSketch));
  EXPECT_EQ(report.pointed_out("photos of different splits that look alike"), 1);
  EXPECT_THAT(report.text(), HasSubstr("b (train) and z (test)"));
  EXPECT_EQ(view().photo_count(), 4) << "labelled photos are pointed out, not dropped";
}

TEST_F(Chairv2, AMaliciousOrTruncatedPickleLeavesNoStore) {
  photos({"a"});
  const auto attack = PickleBuilder().text("/train/a_1").global("os", "system").text("true").raw("\x85R");
  EXPECT_THAT(message_of<DataError>([&] { import(attack); }), HasSubstr("os.system"));
  expect_no_store();
  const auto whole = PickleBuilder().add("/train/a_1", kSketch).finish();
  write_text(folder_ / "coordinates", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(message_of<DataError>([&] { import_chairv2(options()); }), HasSubstr("coordinates"));
  expect_no_store();
}

TEST_F(Chairv2, MissingInputsAreNamed) {
  photos({"a"});
  EXPECT_THAT(message_of<InputMissing>([&] { import_chairv2(options()); }), HasSubstr("coordinates"));
  write_text(folder_ / "coordinates", PickleBuilder().add("/train/a_1", kSketch).finish());
  auto elsewhere = options();
  elsewhere.photos = {folder_ / "nowhere"};
  EXPECT_THAT(message_of<InputMissing>([&] { import_chairv2(elsewhere); }), HasSubstr("nowhere"));
  expect_no_store();
}

TEST_F(Chairv2, AnExistingStoreIsRefusedUnlessAppendedTo) {
  photos({"a", "b"});
  import(PickleBuilder().add("/train/a_1", kSketch));
  const auto before = testing::contents(folder_ / "out.store");
  EXPECT_THAT(message_of<CannotCreate>([&] { import_chairv2(options()); }), HasSubstr("--append"));
  EXPECT_EQ(testing::contents(folder_ / "out.store"), before);

  write_text(folder_ / "coordinates", PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).finish());
  auto more = options();
  more.target.append = true;
  const auto report = import_chairv2(more);
  EXPECT_EQ(report.left_out("photo is in the store already"), 1);
  EXPECT_EQ(view().photo_count(), 2);
  EXPECT_EQ(Store::newest_generation(folder_ / "out.store"), 2);
}

TEST_F(Chairv2, AnotherPhotoOfANameInTheStoreIsNotTakenForThatPhoto) {
  photos({"a", "b"});
  import(PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch));
  write_png(folder_ / "photo/a.png", picture(7));
  write_text(folder_ / "coordinates",
             PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/train/c_1", kSketch).finish());
  write_png(folder_ / "photo/c.png", picture(2));
  auto more = options();
  more.target.append = true;
  const auto report = import_chairv2(more);
  EXPECT_EQ(report.left_out("photo is in the store already"), 1) << "b";
  EXPECT_THAT(report.text(), HasSubstr("another photo of this name is in the store")) << "a";
  EXPECT_EQ(view().photo_count(), 3);
}

TEST_F(Chairv2, AFullDiskLeavesNoStoreAndSaysSo) {
  photos({"a", "b"});
  write_text(folder_ / "coordinates", PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).finish());
  {
    const FullDisk disk(1500);
    EXPECT_THAT(message_of<CannotWrite>([&] { import_chairv2(options()); }), HasSubstr("out.store"));
  }
  expect_no_store();
  EXPECT_EQ(import_chairv2(options()).counted("photos imported"), 2) << "the same command works once there is room";
}

TEST_F(Chairv2, StoppingLeavesNoStore) {
  photos({"a", "b", "c"});
  write_text(folder_ / "coordinates",
             PickleBuilder().add("/train/a_1", kSketch).add("/train/b_1", kSketch).add("/train/c_1", kSketch).finish());
  int asked = 0;
  const ImportHooks hooks{.progress = {}, .stop = [&] { return ++asked == 2; }};
  EXPECT_THROW(import_chairv2(options(), hooks), Interrupted);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.store")) << "nothing may be left, not even the folder";
}

TEST_F(Chairv2, TheStoreIsTheSameForAnyNumberOfThreads) {
  std::vector<std::string> names;
  PickleBuilder builder;
  for (int i = 0; i < 40; ++i) {
    names.push_back("chair" + std::to_string(i));
    builder.add("/train/chair" + std::to_string(i) + "_1", kSketch);
  }
  photos(names);
  write_text(folder_ / "coordinates", builder.finish());
  std::vector<std::map<std::string, std::uint64_t>> stores;
  for (const int threads : {1, 2, 7}) {
    auto with = options();
    with.threads = threads;
    with.target.store = folder_ / ("store" + std::to_string(threads));
    import_chairv2(with);
    stores.push_back(testing::contents(with.target.store));
  }
  EXPECT_EQ(stores[0], stores[1]);
  EXPECT_EQ(stores[0], stores[2]);
}

TEST_F(Chairv2, TheListFileHasEveryItemLeftOut) {
  photos({"a"});
  PickleBuilder builder;
  builder.add("/train/a_1", kSketch);
  for (int i = 0; i < 50; ++i) builder.add("/train/gone" + std::to_string(i) + "_1", kSketch);
  write_text(folder_ / "coordinates", builder.finish());
  auto listed = options();
  listed.target.list_file = folder_ / "left-out.tsv";
  const auto report = import_chairv2(listed);
  EXPECT_EQ(report.json()["left_out"]["sketch without photo"]["count"], 50);
  EXPECT_EQ(report.json()["left_out"]["sketch without photo"]["first"].size(), ImportReport::kShown);
  const auto list = read_file(folder_ / "left-out.tsv");
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 50);
  EXPECT_THAT(list, HasSubstr("sketch without photo\t/train/gone49_1\t"));
}

TEST(KnownReleases, AreRecognisedWholeAndInPart) {
  EXPECT_THAT(compare_with_known_releases({"", 952, 323, 300, 100}), HasSubstr("are those of ChairV2, coordinate file"));
  EXPECT_THAT(compare_with_known_releases({"", 952, 0, 300, 0}), HasSubstr("the training part of ChairV2, coordinate file"));
  EXPECT_THAT(compare_with_known_releases({"", 0, 666, 0, 200}), HasSubstr("the test part of ShoeV2, PNG download"));
  EXPECT_THAT(compare_with_known_releases({"", 951, 323, 300, 100}), HasSubstr("no known release"));
}

}  // namespace
}  // namespace duet
