#include "launch/jobs/job_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(QueueLine, IsReadWithAFreeTextAtItsEnd) {
  const auto parsed = parse_queue_line("12|PENDING||1:00:00|2026-11-25T17:00:00|Nodes required | for job are DOWN");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->reason, "Nodes required | for job are DOWN");
  EXPECT_TRUE(parsed->is_pending());
  EXPECT_TRUE(parsed->starts);
  EXPECT_EQ(parse_queue_line("13_2|RUNNING|n[1-2]|3:10|N/A|None")->reason, "");
  EXPECT_FALSE(parse_queue_line("13_2|RUNNING|n[1-2]|3:10|N/A|None")->starts);
  EXPECT_FALSE(parse_queue_line("slurm_load_jobs error: Unable to contact slurm controller"));
}

}  // namespace
}  // namespace duet
