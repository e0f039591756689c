#include "base/granted_cores.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace duet {
namespace {

TEST(GrantedCores, AreNoMoreThanTheQuotaOfTheGroupAndThoseAroundIt) {
  const TemporaryFolder root;
  std::filesystem::create_directories(root / "job" / "step");
  EXPECT_EQ(cores_of_quota(root.path(), "/job/step"), std::nullopt);
  write_file_atomically(root / "job" / "step" / "cpu.max", "max 100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/job/step"), std::nullopt);
  write_file_atomically(root / "job" / "cpu.max", "250000 100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/job/step"), 2);
  write_file_atomically(root / "job" / "step" / "cpu.max", "50000 100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/job/step"), 1);
  write_file_atomically(root / "cpu.cfs_quota_us", "-1\n");  // version 1: no limit
  write_file_atomically(root / "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/"), std::nullopt);
  write_file_atomically(root / "cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/"), 4);
}

}  // namespace
}  // namespace duet
