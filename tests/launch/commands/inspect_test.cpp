#include <gmock/gmock.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tests/launch/commands/program.h"

namespace duet {
namespace {

using testing::HasSubstr;

// A file of the safetensors format with one tensor of two floats, 3 and 4.
std::string small_tensors() {
  const std::string header = R"({"layer.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i) & 0xFFU);
  const float values[] = {3, 4};
  return bytes + header + std::string(reinterpret_cast<const char*>(values), sizeof values);
}

TEST(Inspect, ListsTheTensorsOfAFile) {
  TemporaryFolder folder;
  const auto file = (folder / "small.safetensors").string();
  std::ofstream(file, std::ios::binary) << small_tensors();
  const auto outcome = duet("inspect --json " + file);
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  const auto tensor = parse_json(outcome.out, "duet inspect").at("files").at(0).at("tensors").at(0);
  EXPECT_EQ(tensor["name"], "layer.weight");
  EXPECT_EQ(tensor["shape"], (std::vector<int>{1, 2}));
  EXPECT_EQ(tensor["norm"], 5.0);
  EXPECT_EQ(tensor["finite"], true);
  EXPECT_THAT(duet("inspect " + file).out, HasSubstr("norm 5"));
}

TEST(Inspect, RefusesDamagedAndMissingFiles) {
  TemporaryFolder folder;
  const auto file = (folder / "cut.safetensors").string();
  std::ofstream(file, std::ios::binary) << small_tensors().substr(0, 70);
  const auto damaged = duet("inspect " + file);
  EXPECT_EQ(damaged.status, 65);
  EXPECT_THAT(damaged.error, HasSubstr("duet inspect: " + file));
  EXPECT_EQ(duet("inspect " + (folder / "absent").string()).status, 66);
  EXPECT_EQ(duet("inspect " + folder.path().string()).status, 66);
}

}  // namespace
}  // namespace duet
