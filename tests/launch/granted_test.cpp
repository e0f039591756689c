#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/file.h"

namespace duet {
namespace {

/// What launch/granted.sh prints for groups that are listed as in /proc/self/cgroup and lie in `mount`.
std::string granted(const std::string& what, const std::string& groups, const std::filesystem::path& mount) {
  write_file_atomically(mount / "groups", groups);
  const auto command = fmt::format("bash -euo pipefail -c 'source {}/launch/granted.sh; granted_{} {}/groups {}' 2>&1", DUET_SOURCE_DIR,
                                   what, mount.string(), mount.string());
  std::FILE* output = ::popen(command.c_str(), "r");
  char text[4096];
  const auto bytes = std::fread(text, 1, sizeof text, output);
  EXPECT_EQ(::pclose(output), 0);
  return {text, bytes};
}

void limit(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, text + "\n");
}

// launch/build.sh starts as many compilers as these allow.
TEST(Granted, IsTheLeastOfTheOwnGroupAndThoseAroundIt) {
  const TemporaryFolder mount;
  EXPECT_EQ(granted("cores", "0::/job/step\n", mount.path()), "");
  EXPECT_EQ(granted("bytes", "0::/job/step\n", mount.path()), "");
  limit(mount / "job/step/cpu.max", "max 100000");
  limit(mount / "job/step/memory.max", "max");
  EXPECT_EQ(granted("cores", "0::/job/step\n", mount.path()), "");
  limit(mount / "job/cpu.max", "250000 100000");
  limit(mount / "job/memory.max", "4294967296");
  limit(mount / "memory.max", "8589934592");
  EXPECT_EQ(granted("cores", "0::/job/step\n", mount.path()), "2\n");
  EXPECT_EQ(granted("bytes", "0::/job/step\n", mount.path()), "4294967296\n");
  EXPECT_EQ(granted("bytes", "0::/\n", mount.path()), "8589934592\n");
  limit(mount / "job/step/cpu.max", "50000 100000");
  EXPECT_EQ(granted("cores", "0::/job/step\n", mount.path()), "1\n");
}

TEST(Granted, IsReadOfTheFirstVersionOfGroupsToo) {
  const TemporaryFolder mount;
  const std::string groups = "5:memory:/job\n2:cpu,cpuacct:/job/step\n1:cpuset:/job\n0::/\n";
  limit(mount / "cpuset/job/cpu.cfs_quota_us", "100000");
  limit(mount / "cpu,cpuacct/cpu.cfs_quota_us", "-1");
  limit(mount / "cpu,cpuacct/cpu.cfs_period_us", "100000");
  limit(mount / "memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(granted("cores", groups, mount.path()), "");
  limit(mount / "cpu,cpuacct/job/cpu.cfs_quota_us", "400000");
  limit(mount / "cpu,cpuacct/job/cpu.cfs_period_us", "100000");
  limit(mount / "memory/job/memory.limit_in_bytes", "6442450944");
  EXPECT_EQ(granted("cores", groups, mount.path()), "4\n");
  EXPECT_EQ(granted("bytes", groups, mount.path()), "6442450944\n");
}

}  // namespace
}  // namespace duet
