#include "trainer/kernels/drawing.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/trainer/kernels/decoder_case.h"
#include "trainer/kernels/mixture_draw.h"

namespace duet {
namespace {

Tensor noise_for(std::int64_t photos, std::int64_t steps) {
  auto noise = at::empty({photos, steps, 4}, at::kDouble);
  auto* value = noise.data_ptr<double>();
  for (std::int64_t i = 0; i < photos; ++i) {
    KeyedRandom random(9, Purpose::test, 0, static_cast<std::uint64_t>(i));
    for (std::int64_t t = 0; t < steps; ++t) {
      *value++ = random.uniform();
      *value++ = random.normal();
      *value++ = random.normal();
      *value++ = random.uniform();
    }
  }
  return noise;
}

struct Reference {
  std::vector<PlainStep> steps;
  std::vector<std::vector<double>> hidden;
};

/// Never stops before max_steps: the caller looks for the first end.
Reference draw_in_loops(const DecoderCase& c, std::int64_t photo, const DrawOptions& options, const Tensor& noise) {
  LoopDecoder decoder(c, photo);
  std::vector<double> point{0, 0, 1, 0, 0};
  Reference reference;
  for (std::int64_t t = 0; t < options.max_steps; ++t) {
    reference.hidden.push_back(decoder.step(point));
    const auto* draws = noise.defined() ? noise[photo][t].const_data_ptr<double>() : nullptr;
    const auto step = draw_step(decoder.raw().data(), c.mixtures, options.temperature, options.ignore_end, draws);
    reference.steps.push_back(step);
    point = {step.dx, step.dy, 0, 0, 0};
    point[2 + step.pen] = 1;
  }
  return reference;
}

void expect_as_in_loops(const DecoderCase& c, const DrawOptions& options, const Tensor& noise, double tolerance) {
  const auto drawing = draw_on_cpu(c.seen, c.start, c.weights, c.output, options, noise);
  std::int64_t longest = 0, stopped = 0;
  for (std::int64_t photo = 0; photo < c.photos; ++photo) {
    const auto reference = draw_in_loops(c, photo, options, noise);
    std::int64_t length = 0;
    while (length < options.max_steps && reference.steps[length].pen != 2) ++length;
    stopped += length < options.max_steps;
    length = std::min(length + 1, options.max_steps);
    longest = std::max(longest, length);
    ASSERT_EQ(drawing.length[photo].item<std::int64_t>(), length) << "photo " << photo;
    for (std::int64_t t = 0; t < drawing.pen.size(1); ++t) {
      const bool drawn = t < length;
      ASSERT_EQ(drawing.pen[photo][t].item<std::int64_t>(), drawn ? reference.steps[t].pen : 2) << "photo " << photo << ", step " << t;
      ASSERT_NEAR(drawing.offsets[photo][t][0].item<double>(), drawn ? reference.steps[t].dx : 0, tolerance);
      ASSERT_NEAR(drawing.offsets[photo][t][1].item<double>(), drawn ? reference.steps[t].dy : 0, tolerance);
      for (std::int64_t i = 0; i < c.hidden; ++i)
        ASSERT_NEAR(drawing.hidden[photo][t][i].item<double>(), drawn ? reference.hidden[t][i] : 0, tolerance);
    }
  }
  EXPECT_EQ(drawing.pen.size(1), longest);
  if (!options.ignore_end) {
    EXPECT_GT(stopped, 0) << "the case shows nothing: no drawing ended";
    EXPECT_LT(stopped, c.photos) << "the case shows nothing: all drawings ended";
  }
}

TEST(DrawOnCpu, GreedyIsTheMostProbableComponentAndPenUpToTheFirstEnd) {
  DecoderCase c(37);
  c.output.bias[2] += 0.6;  // so that some drawings end and some do not
  expect_as_in_loops(c, {.max_steps = 12, .keep_hidden = true}, {}, 1e-10);
}

TEST(DrawOnCpu, SampledFollowsTheNoiseUpToTheFirstEnd) {
  DecoderCase c(37);
  c.output.bias[2] -= 1;
  expect_as_in_loops(c, {.temperature = 0.7, .max_steps = 9, .keep_hidden = true}, noise_for(37, 11), 1e-10);
}

TEST(DrawOnCpu, NeverEndsWhenTheEndIsIgnored) {
  const DecoderCase c(5);
  expect_as_in_loops(c, {.max_steps = 8, .ignore_end = true, .keep_hidden = true}, {}, 1e-10);
  expect_as_in_loops(c, {.temperature = 1, .max_steps = 8, .ignore_end = true, .keep_hidden = true}, noise_for(5, 8), 1e-10);
}

TEST(DrawOnCpu, AgreesWithFloat64InFloat32) {
  const DecoderCase c(9, 40, 3, at::kFloat);
  expect_as_in_loops(c, {.max_steps = 4, .ignore_end = true, .keep_hidden = true}, {}, 2e-4);
}

TEST(DrawOnCpu, DrawsEachPhotoTheSameToTheBitInAnyCompanyAndOnAnyThreads) {
  DecoderCase c(23, 33, 1, at::kFloat);
  c.output.bias[2] -= 1;
  const DrawOptions options{.temperature = 1, .max_steps = 20};
  const auto noise = noise_for(23, 20);
  const auto threads = at::get_num_threads();
  at::set_num_threads(2);
  const auto together = draw_on_cpu(c.seen, c.start, c.weights, c.output, options, noise);
  at::set_num_threads(1);
  for (const std::vector<std::int64_t>& rows :
       {std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, {22, 5, 9}, {7}}) {
    const auto index = at::tensor(rows, at::kLong);
    const auto some =
        draw_on_cpu(c.photos_at(rows), c.start_at(rows), c.weights, c.output, options, noise.index_select(0, index).contiguous());
    const auto steps = some.pen.size(1);
    EXPECT_TRUE(some.offsets.equal(together.offsets.index_select(0, index).narrow(1, 0, steps)));
    EXPECT_TRUE(some.pen.equal(together.pen.index_select(0, index).narrow(1, 0, steps)));
    EXPECT_TRUE(some.length.equal(together.length.index_select(0, index)));
  }
  at::set_num_threads(threads);
}

TEST(DrawOnCpu, SaysWhichDrawingIsNotFinite) {
  DecoderCase c(3);
  c.seen.map[1].fill_(std::numeric_limits<double>::quiet_NaN());
  try {
    draw_on_cpu(c.seen, c.start, c.weights, c.output, {.max_steps = 4}, {});
    FAIL() << "a drawing of NaN passed";
  } catch (const NumericalError& error) {
    EXPECT_NE(std::string(error.what()).find("photo 1"), std::string::npos) << error.what();
  }
}

TEST(DrawOnCpu, RefusesNoiseOfAnotherShape) {
  const DecoderCase c(3);
  EXPECT_THROW(draw_on_cpu(c.seen, c.start, c.weights, c.output, {.temperature = 1, .max_steps = 9}, noise_for(3, 8)), InternalError);
}

/// Two components that cannot be mistaken for one another.
std::vector<double> two_components() {
  //      pen logits       π logits  μ_x       μ_y       log σ_x                       log σ_y                     ρ before tanh
  return {0.3, -0.4, 0.1, 0.2, -0.5, -40, 40, 5, -7, std::log(2.0), std::log(0.5), std::log(1.5), std::log(3.0), 0.8, -1.1};
}

TEST(DrawStep, HasTheFrequenciesAndMomentsOfTheDistribution) {
  const auto raw = two_components();
  constexpr int kDraws = 200000;
  for (const double temperature : {1.0, 0.4}) {
    double of[2] = {}, pens[3] = {}, x[2] = {}, y[2] = {}, xx[2] = {}, yy[2] = {}, xy[2] = {};
    for (int i = 0; i < kDraws; ++i) {
      KeyedRandom random(4, Purpose::test, 0, static_cast<std::uint64_t>(i));
      const double noise[] = {random.uniform(), random.normal(), random.normal(), random.uniform()};
      const auto step = draw_step(raw.data(), 2, temperature, false, noise);
      const int j = step.dx > 0;
      const double u = step.dx - raw[5 + j], v = step.dy - raw[7 + j];
      of[j] += 1;
      pens[step.pen] += 1;
      x[j] += u, y[j] += v, xx[j] += u * u, yy[j] += v * v, xy[j] += u * v;
    }
    const double pi = 1 / (1 + std::exp((raw[4] - raw[3]) / temperature));
    EXPECT_NEAR(of[0] / kDraws, pi, 0.005);  // four deviations of a share of 200,000
    double total = 0;
    for (int k = 0; k < 3; ++k) total += std::exp(raw[k] / temperature);
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(pens[k] / kDraws, std::exp(raw[k] / temperature) / total, 0.005) << k;
    for (int j = 0; j < 2; ++j) {
      const double sx = std::exp(raw[9 + j]), sy = std::exp(raw[11 + j]), rho = std::tanh(raw[13 + j]);
      EXPECT_NEAR(x[j] / of[j], 0, 0.02 * sx);
      EXPECT_NEAR(y[j] / of[j], 0, 0.02 * sy);
      EXPECT_NEAR(xx[j] / of[j], temperature * sx * sx, 0.03 * temperature * sx * sx);
      EXPECT_NEAR(yy[j] / of[j], temperature * sy * sy, 0.03 * temperature * sy * sy);
      EXPECT_NEAR(xy[j] / of[j], temperature * rho * sx * sy, 0.03 * temperature * sx * sy);
    }
  }
}

TEST(DrawStep, GreedyTakesTheLargestComponentsMeanAndTheFirstOfEquals) {
  auto raw = two_components();
  auto step = draw_step(raw.data(), 2, 0, false, nullptr);
  EXPECT_EQ(step.dx, -40);
  EXPECT_EQ(step.dy, 5);
  EXPECT_EQ(step.pen, 0);
  raw[4] = raw[3];
  raw[2] = 7;
  step = draw_step(raw.data(), 2, 0, false, nullptr);
  EXPECT_EQ(step.dx, -40);
  EXPECT_EQ(step.pen, 2);
  EXPECT_EQ(draw_step(raw.data(), 2, 0, true, nullptr).pen, 0);
}

}  // namespace
}  // namespace duet
