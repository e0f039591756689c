#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "datasets/image/image.h"
#include "datasets/store/store.h"
#include "launch/commands/commands.h"
#include "tests/stop_request.h"

namespace duet {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kDrawings = R"({"word":"chair","key_id":"11","recognized":true,"drawing":[[[0,100],[0,50]],[[20,30],[50,0]]]})"
                              "\n"
                              R"({"word":"couch","key_id":"22","recognized":true,"drawing":[[[0,10,20],[0,9,3]]]})"
                              "\n";

class DataCommands : public ::testing::Test {
 protected:
  ~DataCommands() override { clear_stop_request(); }

  int run(const std::vector<std::string>& arguments) {
    const std::vector<Command> commands = {import_command(), store_command(), synth_command()};
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = run_program(commands, arguments);
    output_ = ::testing::internal::GetCapturedStdout();
    errors_ = ::testing::internal::GetCapturedStderr();
    return status;
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  void import_drawings() {
    write_file_atomically(file("d.ndjson"), std::string_view(kDrawings));
    ASSERT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("s.store")}), 0) << errors_;
  }

  TemporaryFolder folder_;
  std::string output_, errors_;
};

TEST_F(DataCommands, AnImportEndsWithAReportForPeopleOrPrograms) {
  import_drawings();
  EXPECT_THAT(output_, HasSubstr("2  drawings imported"));
  ASSERT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("other.store"), "--json"}), 0);
  const auto report = parse_json(output_, "output");
  EXPECT_EQ(report["counts"]["drawings imported"], 2);
  EXPECT_EQ(report["generation"], 1);
}

TEST_F(DataCommands, StatusesFollowTheKindOfFault) {
  EXPECT_EQ(run({"import", "quickdraw", file("nowhere.ndjson"), "--out", file("s.store")}), 66);
  write_file_atomically(file("empty.ndjson"), std::string_view("rubbish\n"));
  EXPECT_EQ(run({"import", "quickdraw", file("empty.ndjson"), "--out", file("s.store")}), 65);
  EXPECT_THAT(errors_, StartsWith("duet import"));
  import_drawings();
  EXPECT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("s.store")}), 73);
  EXPECT_THAT(errors_, HasSubstr("--append"));
  EXPECT_EQ(run({"store", "info", file("nowhere.store")}), 66);
}

TEST_F(DataCommands, UnknownOptionsSuggestTheNearest) {
  EXPECT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--uot", "x"}), 64);
  EXPECT_THAT(errors_, HasSubstr("'--out'"));
  EXPECT_EQ(run({"import", "photos", file(""), "--exclude-lik", "x"}), 64);
  EXPECT_THAT(errors_, HasSubstr("'--exclude-like'"));
  EXPECT_EQ(run({"import", "quickdrw"}), 64);
  EXPECT_THAT(errors_, HasSubstr("'quickdraw'"));
  EXPECT_EQ(run({"import", "quickdraw", file("d.ndjson")}), 64) << "--out is needed";
  EXPECT_THAT(errors_, HasSubstr("--out"));
}

TEST_F(DataCommands, HelpHasExamples) {
  const std::vector<std::vector<std::string>> documented = {{"import", "chairv2"},
                                                            {"import", "photos"},
                                                            {"import", "quickdraw"},
                                                            {"store", "info"},
                                                            {"store", "verify"},
                                                            {"store", "show"},
                                                            {"synth"}};
  for (const auto& command : documented) {
    auto arguments = command;
    arguments.push_back("--help");
    EXPECT_EQ(run(arguments), 0);
    EXPECT_THAT(output_, HasSubstr("Examples:\n  duet " + command[0]));
  }
}

TEST_F(DataCommands, InfoCountsEachSplit) {
  ASSERT_EQ(run({"synth", "--pairs", "6", "--test", "2", "--sketches", "2", "--pool", "3", "--seed", "5", "--out", file("made")}), 0)
      << errors_;
  ASSERT_EQ(run({"store", "info", file("made/pairs.store"), "--json"}), 0);
  const auto info = parse_json(output_, "output");
  EXPECT_EQ(info["kind"], "pairs");
  EXPECT_EQ(info["photos"], 8);
  EXPECT_EQ(info["sketches"], 16);
  EXPECT_EQ(info["splits"]["validation"]["photos"], 2);
  EXPECT_GT(info["offset_scale"], 0);
  ASSERT_EQ(run({"store", "info", file("made/pool.store")}), 0);
  EXPECT_THAT(output_, HasSubstr("pool, generation 1"));
}

TEST_F(DataCommands, SynthRefusesToOverwriteAndKeepsWhatIsThere) {
  const std::vector<std::string> command = {"synth", "--pairs", "3", "--test", "1", "--pool", "2", "--out", file("made")};
  ASSERT_EQ(run(command), 0) << errors_;
  EXPECT_EQ(run(command), 73);
  EXPECT_EQ(Store::open(folder_ / "made/pairs.store")->view("all").photo_count(), 4);
}

TEST_F(DataCommands, VerifyEndsWith65WhereAByteWasFlipped) {
  import_drawings();
  EXPECT_EQ(run({"store", "verify", file("s.store")}), 0);
  EXPECT_THAT(output_, HasSubstr("all as they were written"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "s.store/shards")) {
    auto bytes = read_file(entry.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::filesystem::permissions(entry.path(), std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
    write_file_atomically(entry.path(), std::string_view(bytes));
    break;
  }
  EXPECT_EQ(run({"store", "verify", file("s.store"), "--json"}), 65);
  EXPECT_EQ(parse_json(output_, "output")["good"], false);
}

TEST_F(DataCommands, WhatIsShownReplacesNothingButItself) {
  import_drawings();
  write_file_atomically(file("holiday.png"), std::string_view("a photo"));
  for (const std::string name : {"11.svg", "11.png"}) {
    ASSERT_EQ(run({"store", "show", file("s.store"), "--sketch", "11", "--out", file(name)}), 0) << errors_;
    EXPECT_EQ(run({"store", "show", file("s.store"), "--sketch", "22", "--out", file(name)}), 0) << "its own earlier output: " << errors_;
    std::filesystem::create_symlink(file("holiday.png"), file("link-" + name));
    EXPECT_EQ(run({"store", "show", file("s.store"), "--sketch", "11", "--out", file("link-" + name)}), 73);
  }
  EXPECT_EQ(run({"store", "show", file("s.store"), "--sketch", "11", "--out", file("holiday.png")}), 73);
  EXPECT_THAT(errors_, HasSubstr(file("holiday.png")));
  EXPECT_EQ(read_file(file("holiday.png")), "a photo");
}

TEST_F(DataCommands, AListIsWrittenThroughNoLink) {
  write_file_atomically(file("d.ndjson"), std::string_view(kDrawings));
  std::filesystem::create_symlink(file("elsewhere.tsv"), file("list.tsv"));
  EXPECT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("s.store"), "--list", file("list.tsv")}), 73);
  EXPECT_FALSE(std::filesystem::exists(file("elsewhere.tsv")));
}

TEST_F(DataCommands, IdsGiveATerminalNoCommands) {
  const auto drawing = kDrawings.substr(0, kDrawings.find('\n') + 1);
  auto named = drawing;
  named.replace(named.find("chair"), 5, R"(\u001b]0;owned\u0007\u202e)");
  write_file_atomically(file("d.ndjson"), drawing + named + named);
  ASSERT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("s.store")}), 0) << errors_;
  const auto said = output_ + errors_;
  EXPECT_EQ(run({"store", "show", file("s.store"), "--sketch", "nothing", "--out", file("x.svg")}), 66);
  EXPECT_EQ(run({"store", "info", file("s.store\x1b[2J\xe2\x80\xae")}), 66);
  for (const auto& text : {said, output_, errors_}) {
    EXPECT_EQ(text.find_first_of("\x1b\x07"), std::string::npos) << text;
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << text;
  }
  EXPECT_THAT(errors_, HasSubstr("\\x1b[2J\\xe2\\x80\\xae"));
}

TEST_F(DataCommands, ASketchIsShownAsPictureOrDrawing) {
  import_drawings();
  ASSERT_EQ(run({"store", "show", file("s.store"), "--sketch", "11", "--out", file("11.png")}), 0) << errors_;
  const auto png = read_file(file("11.png"));
  ASSERT_GT(png.size(), 26U);
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\1\0\0\0\1\0", 8)) << "256 x 256";
  EXPECT_EQ(png[25], 0) << "one channel";
  const auto image = decode_image(bytes_of(png), {}, "11.png");
  EXPECT_EQ(image.at(0, 0, 0), 0) << "black ground";
  EXPECT_EQ(image.at(223, 176, 0), 255) << "the white end of the first stroke";
  ASSERT_EQ(run({"store", "show", file("s.store"), "--sketch", "couch/22", "--out", file("22.svg")}), 0) << errors_;
  EXPECT_THAT(read_file(file("22.svg")), HasSubstr("<svg"));
}

TEST_F(DataCommands, APhotoIsShownByItsNameWithOrWithoutExtension) {
  Image image(40, 30, 3, 200);
  for (int x = 0; x < 20; ++x) image.at(x, 5, 0) = 0;
  std::filesystem::create_directories(folder_ / "photos/red");
  write_file_atomically(folder_ / "photos/red/one.v2.png", std::span<const std::byte>(encode_png(image)));
  ASSERT_EQ(run({"import", "photos", file("photos"), "--out", file("pool.store")}), 0) << errors_;
  for (const std::string id : {"red/one.v2.png", "one.v2.png", "one.v2"}) {
    ASSERT_EQ(run({"store", "show", file("pool.store"), "--photo", id, "--out", file("one.png")}), 0) << errors_;
    const auto shown = decode_image(bytes_of(read_file(file("one.png"))), {}, "one.png");
    EXPECT_EQ(shown.width, 40);
    EXPECT_EQ(shown.height, 30);
  }
  EXPECT_EQ(run({"store", "show", file("pool.store"), "--photo", "two", "--out", file("two.png")}), 66);
  EXPECT_THAT(errors_, HasSubstr("'two'"));
  EXPECT_EQ(run({"store", "show", file("pool.store"), "--photo", "one.v2", "--out", file("one.svg")}), 64);
  EXPECT_EQ(run({"store", "show", file("pool.store"), "--out", file("one.png")}), 64);
}

TEST_F(DataCommands, CtrlCLeavesNothing) {
  write_file_atomically(file("d.ndjson"), std::string_view(kDrawings));
  request_stop();
  EXPECT_EQ(run({"import", "quickdraw", file("d.ndjson"), "--out", file("s.store")}), 75);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "s.store"));
  EXPECT_EQ(run({"synth", "--pairs", "3", "--pool", "2", "--out", file("made")}), 75);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "made/pairs.store"));
}

}  // namespace
}  // namespace duet
