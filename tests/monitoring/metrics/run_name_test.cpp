#include "monitoring/metrics/run_name.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace duet {
namespace {

namespace fs = std::filesystem;

TEST(RunName, IsThePlaceBelowTheFolderOfRuns) {
  EXPECT_EQ(run_name("/data/runs/chairs"), "chairs");
  EXPECT_EQ(run_name("/data/runs/chairs/"), "chairs");
  EXPECT_EQ(run_name("/data/runs/./sweep/../sweep/3"), "sweep/3");
  EXPECT_EQ(run_name("/runs/old/runs/first"), "first");
}

TEST(RunName, TellsFoldersOfOneNameApart) {
  EXPECT_EQ(run_name("/data/a/run"), "a/run");
  EXPECT_EQ(run_name("/data/b/run"), "b/run");
  EXPECT_EQ(run_name("/data/runs"), "data/runs");
  EXPECT_EQ(run_name("/run"), "run");
}

TEST(RunName, OfTheCurrentFolderIsThatFoldersOwn) {
  const auto here = fs::current_path();
  EXPECT_EQ(run_name("."), run_name(here));
  EXPECT_EQ(run_name("x/.."), run_name(here));
  EXPECT_EQ(run_name("runs/chairs"), "chairs");
}

TEST(RunName, OfManyBytesStaysShortAndItsOwn) {
  const std::string stem(220, 'x');
  const auto first = run_name("/runs/" + stem + "1");
  EXPECT_LE(first.size(), 200U);
  EXPECT_NE(first, run_name("/runs/" + stem + "2"));
}

TEST(RunName, HoldsNothingThatATerminalActsOn) { EXPECT_EQ(run_name("/runs/a\x1b[31m\xe9"), "a\\x1b[31m\\xe9"); }

}  // namespace
}  // namespace duet
