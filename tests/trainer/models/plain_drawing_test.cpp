#include "trainer/models/plain_drawing.h"

#include <gtest/gtest.h>

#include "tests/trainer/kernels/decoder_case.h"
#include "trainer/models/draw_noise.h"

namespace duet {
namespace {

void expect_same(const DecoderCase& c, const DrawOptions& options, const Tensor& noise) {
  const auto kernel = draw_on_cpu(c.seen, c.start, c.weights, c.output, options, noise);
  const auto plain = draw_plain(c.seen, c.start, c.weights, c.output, options, noise);
  ASSERT_TRUE(kernel.length.equal(plain.length)) << kernel.length << plain.length;
  ASSERT_TRUE(kernel.pen.equal(plain.pen));
  EXPECT_LT((kernel.offsets - plain.offsets).abs().max().item<double>(), 1e-10);
  EXPECT_LT((kernel.hidden - plain.hidden).abs().max().item<double>(), 1e-10);
}

TEST(DrawPlain, DrawsWhatTheKernelDraws) {
  DecoderCase c(29);
  c.output.bias[2] += 0.3;
  std::vector<std::int64_t> samples(29);
  std::iota(samples.begin(), samples.end(), 100);
  const auto noise = drawing_noise(1, 2, samples, 12);
  expect_same(c, {.max_steps = 12, .keep_hidden = true}, {});
  expect_same(c, {.temperature = 1, .max_steps = 12, .keep_hidden = true}, noise);
  expect_same(c, {.temperature = 0.3, .max_steps = 7, .ignore_end = true, .keep_hidden = true}, noise);
}

}  // namespace
}  // namespace duet
