#include "datasets/import/quickdraw/quickdraw.h"

#include <gmock/gmock.h>

#include <set>

#include "datasets/store/store.h"
#include "tests/datasets/import/fixtures.h"

namespace duet {
namespace {

using testing::FullDisk;
using ::testing::HasSubstr;
using testing::message_of;
using testing::write_text;

std::string drawing(const std::string& strokes, const std::string& key = "1", bool recognised = true) {
  return R"({"word":"chair","recognized":)" + std::string(recognised ? "true" : "false") + R"(,"key_id":")" + key + R"(","drawing":)" +
         strokes + "}\n";
}

const char* const kSimple = "[[[0,100],[0,50]],[[20,30],[50,0]]]";

class Quickdraw : public ::testing::Test {
 protected:
  QuickdrawOptions options() { return {.files = {folder_ / "chair.ndjson"}, .target = {.store = folder_ / "strokes.store"}}; }
  ImportReport import(const std::string& lines) {
    write_text(folder_ / "chair.ndjson", lines);
    return import_quickdraw(options());
  }
  StoreView view() { return Store::open(folder_ / "strokes.store")->view("all"); }

  TemporaryFolder folder_;
};

TEST_F(Quickdraw, DrawingsAreCentredWithALongerSideOf190) {
  import(drawing(kSimple, "77"));
  const auto sketch = view().read_sketch(0);
  EXPECT_EQ(sketch.id, "chair/77");
  EXPECT_EQ(sketch.photo, -1);
  ASSERT_EQ(sketch.points.size(), 4U);
  // Width 100 becomes 190, so height 50 becomes 95; the box's middle lies at (128, 128).
  const Sketch expected = {{33, 80.5, 0}, {223, 175.5, 1}, {71, 175.5, 0}, {90, 80.5, 1}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(sketch.points[i].x, expected[i].x, 1e-9);
    EXPECT_NEAR(sketch.points[i].y, expected[i].y, 1e-9);
    EXPECT_EQ(sketch.points[i].pen, expected[i].pen);
  }
}

TEST_F(Quickdraw, RawAndSimplifiedFormsGiveTheSame) {
  import(drawing("[[[0.0,100.0],[0.0,50.0],[0,17]],[[20,30],[50,0],[20,99]]]"));
  const auto raw = view().read_sketch(0).points;
  std::filesystem::remove_all(folder_ / "strokes.store");
  import(drawing(kSimple));
  EXPECT_EQ(view().read_sketch(0).points, raw);
}

TEST_F(Quickdraw, OdditiesOfFilesAndTablesCostNoDrawing) {
  import(drawing(kSimple));
  const auto expected = view().read_sketch(0).points;
  const auto line = [](const std::string& strokes, const std::string& recognized, int key) {
    return R"({"word":"chair","recognized":)" + recognized + R"(,"key_id":)" + std::to_string(key) + R"(,"drawing":)" + strokes + "}";
  };
  const std::string simple = kSimple;
  // A byte order mark, lines that Windows ended, lines of nothing, strokes of nothing, strokes as a text, truth as tables keep it; the last
  // line is not ended.
  const auto file = "\xef\xbb\xbf" + line(simple, "true", 1) + "\r\n\r\n" + line(simple, "1", 2) + "\n  \t\n" +
                    line("\"" + simple + "\"", "1.0", 3) + "\n" + line("[[]," + simple.substr(1), "\"True\"", 4) + "\n" +
                    line("[[[],[]]," + simple.substr(1), "\"true\"", 5);
  std::filesystem::remove_all(folder_ / "strokes.store");
  write_text(folder_ / "chair.ndjson", file);
  auto taken = options();
  taken.recognized_only = true;
  const auto report = import_quickdraw(taken);
  EXPECT_EQ(report.left_out(), 0) << report.text();
  ASSERT_EQ(view().sketch_count(), 5);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(view().read_sketch(i).points, expected) << i;
}

TEST_F(Quickdraw, BadLinesAreCountedWithTheirNumbers) {
  const std::vector<std::string> bad = {
      "not json",
      "[1,2]",
      "{}",
      R"({"drawing":[]})",
      R"({"drawing":[[[1,2]]]})",
      R"({"drawing":[[[1,2],[3]]]})",
      R"({"drawing":[[["a","b"],[3,4]]]})",
      R"({"drawing":[[[1e999,2],[3,4]]]})",
      R"({"drawing":[[[1e9,2],[3,4]]]})",
      R"({"drawing":[[[],[]]]})",
      R"({"drawing":[[]]})",
      R"({"drawing":"[[[0,"})",
      R"({"drawing":7})",
      "{\"drawing\":[[[1,2],[3,4]]],\"word\":\"\xff\"}",
      std::string(100'000, '['),
  };
  std::string lines = drawing(kSimple, "1");
  for (const auto& line : bad) lines += line + "\n";
  lines += "\n\r\n" + drawing(kSimple, "2");
  const auto report = import(lines);
  EXPECT_EQ(report.counted("drawings imported"), 2);
  EXPECT_EQ(report.left_out("line is no drawing"), static_cast<std::int64_t>(bad.size()));
  for (std::size_t i = 0; i < bad.size(); ++i) EXPECT_THAT(report.text(), HasSubstr("chair.ndjson:" + std::to_string(i + 2) + ":"));
}

TEST_F(Quickdraw, ALineWithoutEndIsPassedOver) {
  const auto report = import(drawing(kSimple, "1") + std::string(5 << 20, ' ') + "\n" + drawing(kSimple, "2"));
  EXPECT_EQ(report.counted("drawings imported"), 2);
  EXPECT_EQ(report.left_out("line is no drawing"), 1);
}

TEST_F(Quickdraw, DrawingsWithoutExtentAreLeftOut) {
  const auto report = import(drawing("[[[5],[5]]]", "1") + drawing("[[[5,5],[5,5]],[[5],[5]]]", "2") + drawing("[[[5,5],[5,9]]]", "3"));
  EXPECT_EQ(report.left_out("nothing is drawn"), 2);
  EXPECT_EQ(report.counted("drawings imported"), 1);
}

TEST_F(Quickdraw, RecognisedOnlyAndAtMostSoMany) {
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += drawing(kSimple, std::to_string(i), i % 2 == 0);
  write_text(folder_ / "chair.ndjson", lines);
  auto some = options();
  some.recognized_only = true;
  some.max_drawings = 3;
  const auto report = import_quickdraw(some);
  EXPECT_EQ(report.counted("drawings imported"), 3);
  EXPECT_EQ(report.left_out("not recognised"), 2);
  EXPECT_EQ(view().read_sketch(2).id.substr(0, 6), "chair/");
}

TEST_F(Quickdraw, OneInTwentyValidatesAlwaysTheSame) {
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += drawing(kSimple, std::to_string(i));
  import(lines);
  const auto store = Store::open(folder_ / "strokes.store");
  const auto validation = store->view("validation");
  EXPECT_GT(validation.sketch_count(), 60);
  EXPECT_LT(validation.sketch_count(), 140);
  std::set<std::string> set_aside;
  for (std::int64_t i = 0; i < validation.sketch_count(); ++i) set_aside.insert(validation.read_sketch(i).id);
  // The same drawings in another file and order.
  std::string reversed;
  for (int i = 1999; i >= 0; --i) reversed += drawing(kSimple, std::to_string(i));
  std::filesystem::remove_all(folder_ / "strokes.store");
  import(reversed);
  const auto again = Store::open(folder_ / "strokes.store")->view("validation");
  ASSERT_EQ(again.sketch_count(), validation.sketch_count());
  for (std::int64_t i = 0; i < again.sketch_count(); ++i) EXPECT_TRUE(set_aside.contains(again.read_sketch(i).id));
}

TEST_F(Quickdraw, ADrawingIsTakenOnceAlsoAcrossGenerations) {
  const auto report = import(drawing(kSimple, "1") + drawing(kSimple, "1") + drawing(kSimple, "2"));
  EXPECT_EQ(report.left_out("came before"), 1);
  EXPECT_THROW(import_quickdraw(options()), CannotCreate);
  write_text(folder_ / "chair.ndjson", drawing(kSimple, "2") + drawing(kSimple, "3"));
  auto more = options();
  more.target.append = true;
  EXPECT_EQ(import_quickdraw(more).left_out("came before"), 1);
  EXPECT_EQ(view().sketch_count(), 3);
  EXPECT_THROW(import_quickdraw(more), DataError) << "nothing new";
  EXPECT_EQ(Store::newest_generation(folder_ / "strokes.store"), 2);
}

TEST_F(Quickdraw, DrawingsThatShareAKeyAreTwo) {
  const auto other = drawing("[[[0,100],[50,0]]]", "1");
  const auto first = import(drawing(kSimple, "1") + other + other + drawing(kSimple, "1"));
  EXPECT_EQ(first.counted("drawings imported"), 2);
  EXPECT_EQ(first.left_out("came before"), 2);
  EXPECT_EQ(first.pointed_out("another drawing of the same key; its id got an addition"), 1);
  EXPECT_EQ(view().read_sketch(0).id, "chair/1");
  EXPECT_THAT(view().read_sketch(1).id, ::testing::MatchesRegex("chair/1#[0-9a-f]{16}"));

  // Lines without a key of two files with the same name, and what was taken before.
  write_text(folder_ / "a" / "chair.ndjson", "{\"drawing\":[[[0,100],[0,70]]]}\n" + other);
  write_text(folder_ / "b" / "chair.ndjson", "{\"drawing\":[[[0,100],[0,80]]]}\n");
  auto more = options();
  more.files = {folder_ / "a" / "chair.ndjson", folder_ / "b" / "chair.ndjson"};
  more.target.append = true;
  const auto second = import_quickdraw(more);
  EXPECT_EQ(second.counted("drawings imported"), 2);
  EXPECT_EQ(second.left_out("came before"), 1);
  std::set<std::string> ids;
  for (std::int64_t i = 0; i < view().sketch_count(); ++i) ids.insert(view().read_sketch(i).id);
  EXPECT_EQ(ids.size(), 4U);
}

TEST_F(Quickdraw, LongNamesThatDifferAtTheirEndsStayTwo) {
  const std::string name(300, 'k');
  EXPECT_EQ(import(drawing(kSimple, name + "1") + drawing(kSimple, name + "2")).counted("drawings imported"), 2);
  EXPECT_NE(view().read_sketch(0).id, view().read_sketch(1).id);
}

TEST_F(Quickdraw, OffsetsInPlaceOfPlacesAreRefused) {
  const std::string there = "[[[0,20,40,60,80,100,80,60,40,20],[0,5,10,40,80,90,80,60,50,30]]]";
  const std::string steps = "[[[0,20,20,20,20,20,-20,-20,-20,-20],[0,5,5,30,40,10,-10,-20,-10,-20]]]";
  EXPECT_EQ(import(drawing(there, "1") + drawing(there, "2") + drawing(steps, "3")).counted("drawings imported"), 3);
  std::filesystem::remove_all(folder_ / "strokes.store");
  EXPECT_THAT(message_of<DataError>([&] { import(drawing(steps, "1") + drawing(steps, "2") + drawing(there, "3")); }),
              HasSubstr("offsets from point to point"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "strokes.store"));
}

TEST_F(Quickdraw, AFileOfAnotherKindIsNamed) {
  EXPECT_THAT(message_of<DataError>([&] { import("PK\3\4"); }), HasSubstr("an archive"));
  EXPECT_THAT(message_of<DataError>([&] { import("<!DOCTYPE html><html>"); }), HasSubstr("a web page"));
}

TEST_F(Quickdraw, DeepNestingIsABadLine) {
  const auto deep = R"({"word":"chair","drawing":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}\n";
  const auto report = import(deep + drawing(kSimple, "2"));
  EXPECT_EQ(report.left_out("line is no drawing"), 1);
  EXPECT_EQ(report.counted("drawings imported"), 1);
}

TEST_F(Quickdraw, AFullDiskOrMissingFileLeavesNoStore) {
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += drawing(kSimple, std::to_string(i));
  write_text(folder_ / "chair.ndjson", lines);
  {
    const FullDisk disk(4000);
    EXPECT_THAT(message_of<CannotWrite>([&] { import_quickdraw(options()); }), HasSubstr("strokes.store"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "strokes.store"));
  auto missing = options();
  missing.files.push_back(folder_ / "nowhere.ndjson");
  EXPECT_THAT(message_of<InputMissing>([&] { import_quickdraw(missing); }), HasSubstr("nowhere.ndjson"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "strokes.store"));
}

}  // namespace
}  // namespace duet
