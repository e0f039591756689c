#include "datasets/image/perceptual_hash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace duet {
namespace {

constexpr int kGrid = 32;         // cells a side of the averaged picture
constexpr int kFrequencies = 8;   // 1 … 8 in each direction: 64 bits
constexpr float kPaper = 243;     // what is lighter counts as background: white, with JPEG's noise
constexpr double kMargin = 0.02;  // of the darkness, cut off on each side

/// An interval of pixels, in fractions of pixels.
struct Interval {
  double low, high;
};

/// BT.601 luma, 0 … 255.
std::vector<float> luma(const Image& image) {
  std::vector<float> grey(static_cast<std::size_t>(image.width) * image.height);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const auto* p = &image.pixels[i * image.channels];
    grey[i] = image.channels == 1 ? p[0] : 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
  }
  return grey;
}

/// Where the darkness summed from the left (top) reaches kMargin of all, and 1 − kMargin. Continuous in the pixels' values, unlike the
/// first and last dark pixel, which jump with noise.
Interval where_the_ink_is(const std::vector<double>& ink) {
  double total = 0;
  for (const double amount : ink) total += amount;
  Interval interval{0, static_cast<double>(ink.size())};
  if (total <= 0) return interval;
  const double low = kMargin * total, high = (1 - kMargin) * total;
  double sum = 0;
  for (std::size_t i = 0; i < ink.size(); ++i) {
    const double next = sum + ink[i];
    if (sum <= low && next > low) interval.low = i + (low - sum) / ink[i];
    if (sum < high && next >= high) interval.high = i + (high - sum) / ink[i];
    sum = next;
  }
  return interval;
}

/// Calls visit(pixel, weight) for the pixels of cell `index` of kGrid equal cells of `interval`; the weights of a cell sum to 1.
template <typename Visit>
void pixels_of_cell(const Interval& interval, int index, int length, Visit visit) {
  const double cell = (interval.high - interval.low) / kGrid;
  const double low = interval.low + index * cell, high = low + cell;
  const int end = std::min(length, static_cast<int>(std::ceil(high)));
  for (int i = std::max(0, static_cast<int>(low)); i < end; ++i) {
    visit(i, static_cast<float>((std::min(high, i + 1.0) - std::max(low, static_cast<double>(i))) / cell));
  }
}

using Grid = std::array<std::array<float, kGrid>, kGrid>;

Grid average(const std::vector<float>& grey, int width, int height, const Interval& across, const Interval& down) {
  Grid grid{};
  for (int row = 0; row < kGrid; ++row) {
    pixels_of_cell(down, row, height, [&](int y, float row_weight) {
      const float* line = grey.data() + static_cast<std::size_t>(y) * width;
      for (int column = 0; column < kGrid; ++column) {
        float mean = 0;
        pixels_of_cell(across, column, width, [&](int x, float weight) { mean += weight * line[x]; });
        grid[row][column] += row_weight * mean;
      }
    });
  }
  return grid;
}

/// cosine[u][x] of the DCT-II for frequencies 1 … kFrequencies.
std::array<std::array<double, kGrid>, kFrequencies> cosines() {
  std::array<std::array<double, kGrid>, kFrequencies> table;
  for (int u = 0; u < kFrequencies; ++u) {
    for (int x = 0; x < kGrid; ++x) table[u][x] = std::cos(std::numbers::pi * (u + 1) * (x + 0.5) / kGrid);
  }
  return table;
}

}  // namespace

std::uint64_t perceptual_hash(const Image& image) {
  const auto grey = luma(image);
  std::vector<double> ink_of_column(image.width), ink_of_row(image.height);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const double ink = std::max(0.0f, kPaper - grey[static_cast<std::size_t>(y) * image.width + x]);
      ink_of_column[x] += ink;
      ink_of_row[y] += ink;
    }
  }
  const auto grid = average(grey, image.width, image.height, where_the_ink_is(ink_of_column), where_the_ink_is(ink_of_row));

  static const auto cosine = cosines();
  std::array<double, kFrequencies * kFrequencies> coefficients{};
  for (int y = 0; y < kGrid; ++y) {
    for (int u = 0; u < kFrequencies; ++u) {
      double sum = 0;
      for (int x = 0; x < kGrid; ++x) sum += grid[y][x] * cosine[u][x];
      for (int v = 0; v < kFrequencies; ++v) coefficients[v * kFrequencies + u] += sum * cosine[v][y];
    }
  }
  // In a flat picture all are rounding errors; as zeros they give one hash.
  for (auto& coefficient : coefficients) {
    if (std::abs(coefficient) < 1) coefficient = 0;
  }
  auto sorted = coefficients;
  std::nth_element(sorted.begin(), sorted.begin() + sorted.size() / 2, sorted.end());
  const double median = sorted[sorted.size() / 2];
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < coefficients.size(); ++i) {
    if (coefficients[i] >= median) hash |= std::uint64_t{1} << i;
  }
  return hash;
}

}  // namespace duet
