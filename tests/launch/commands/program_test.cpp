#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "tests/launch/commands/program.h"

namespace duet {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Program, ListsItsCommands) {
  const auto outcome = duet("--help");
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  for (const char* name : {"import", "store", "synth", "train", "eval", "sketch", "inspect", "bench", "version"}) {
    EXPECT_THAT(outcome.out, HasSubstr("\n  " + std::string(name) + " "));
  }
}

TEST(Program, EveryCommandExplainsItself) {
  const std::set<std::string> groups = {"import", "store", "bench"};
  for (const std::string command :
       {"import", "import chairv2", "import photos", "import quickdraw", "store", "store info", "store verify", "store show", "synth",
        "train", "eval", "sketch", "inspect", "bench", "bench decode", "bench raster", "bench loader", "version"}) {
    const auto outcome = duet(command + " --help");
    EXPECT_EQ(outcome.status, 0) << command << ": " << outcome.error;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: duet " + command)) << command;
    EXPECT_TRUE(groups.contains(command) || outcome.out.find("\nExamples:\n  duet " + command) != std::string::npos) << command;
  }
}

TEST(Program, UnknownCommandsAndOptionsAreUsageErrors) {
  const auto command = duet("trian");
  EXPECT_EQ(command.status, 64);
  EXPECT_THAT(command.error, HasSubstr("Did you mean 'train'?"));
  const auto option = duet("train --run.foldr x");
  EXPECT_EQ(option.status, 64);
  EXPECT_THAT(option.error, HasSubstr("Did you mean '--run.folder'?"));
  for (const char* name : {"import photos", "store info", "synth", "eval", "sketch", "inspect", "version"}) {
    EXPECT_EQ(duet(name + std::string(" --no-such-option")).status, 64) << name;
  }
}

TEST(Program, PrintsTheVersionOfEverythingLinked) {
  const auto outcome = duet("version --json");
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  const auto json = parse_json(outcome.out, "duet version");
  for (const char* name : {"duet", "LibTorch", "MPI", "HDF5", "TurboJPEG", "libpng", "libwebp", "Boost", "prometheus-cpp", "civetweb",
                           "fmt", "nlohmann-json", "xxHash"}) {
    EXPECT_THAT(json.value(name, ""), testing::ContainsRegex("[0-9]+\\.[0-9]+")) << name;
  }
  EXPECT_THAT(json.value("CUDA plugin", ""), testing::Not(IsEmpty()));
  EXPECT_THAT(json["LibTorch"].get<std::string>(), testing::StartsWith("2.11"));
}

TEST(Program, ResultsThatCannotBeWrittenAreAnError) {
  const int result = std::system((std::string(DUET_PROGRAM) + " version >/dev/full 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(result), 74);
}

TEST(Program, PrintedConfigurationCanBeFedBack) {
  TemporaryFolder folder;
  const auto first = duet("train --config chairs-cpu --run.seed 5 --run.folder runs/x --print-config");
  ASSERT_EQ(first.status, 0) << first.error;
  EXPECT_THAT(first.out, HasSubstr("# command line"));
  EXPECT_THAT(first.out, HasSubstr("# chairs-cpu.cfg:"));
  std::ofstream(folder / "again.cfg") << first.out;
  const auto second = duet("train --config " + (folder / "again.cfg").string() + " --print-config");
  ASSERT_EQ(second.status, 0) << second.error;
  const auto values = [](const std::string& text) {
    std::string kept;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) kept += line.substr(0, line.find(" #")) + "\n";
    return kept;
  };
  EXPECT_EQ(values(second.out), values(first.out));
}

TEST(Program, AReaderThatHasLeftIsNoError) {
  TemporaryFolder folder;
  const auto result = std::system(fmt::format("sh -c '(sleep 0.2; {} --help 2>{}; echo $? >{}) | true'; sleep 1", DUET_PROGRAM,
                                              (folder / "error").string(), (folder / "status").string())
                                      .c_str());
  EXPECT_EQ(result, 0);
  EXPECT_EQ(read_file(folder / "error"), "");
  EXPECT_EQ(read_file(folder / "status"), "0\n");
}

TEST(Program, AClosedStandardStreamsNumberGoesToNoFile) {
  TemporaryFolder folder;
  const auto store = folder / "data";
  const auto command = fmt::format("{} synth --pairs 12 --pool 12 --test 4 --strokes 12 --side 64 --seed 3 --out {} <&- >&- 2>&-",
                                   DUET_PROGRAM, store.string());
  EXPECT_EQ(std::system(command.c_str()), 0);
  const auto verified = duet("store verify " + (store / "pairs.store").string());
  EXPECT_EQ(verified.status, 0) << verified.error;
}

}  // namespace
}  // namespace duet
