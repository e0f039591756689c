#include "trainer/phases/retrieval_fit.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(RetrievalFit, LearningRateWarmsUpInAStraightLine) {
  RetrievalConfig config;
  config.learning_rate = 1e-3;
  EXPECT_DOUBLE_EQ(retrieval_learning_rate(config, 0), 1e-3);
  config.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(retrieval_learning_rate(config, 0), 0.25e-3);
  EXPECT_DOUBLE_EQ(retrieval_learning_rate(config, 3), 1e-3);
  EXPECT_DOUBLE_EQ(retrieval_learning_rate(config, 100), 1e-3);
}

}  // namespace
}  // namespace duet
