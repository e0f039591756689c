#include "datasets/image/perceptual_hash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace duet {
namespace {

constexpr int kSide = 32;

using Grid = std::array<std::array<double, kSide>, kSide>;

/// Luma of each pixel (BT.601), 0 … 255.
std::vector<double> luma(const Image& image) {
  std::vector<double> grey(static_cast<std::size_t>(image.width) * image.height);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const auto* p = &image.pixels[i * image.channels];
    grey[i] = image.channels == 1 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
  }
  return grey;
}
#ifndef TRIM
#define TRIM 1
#endif
#ifndef PADSQ
#define PADSQ 0
#endif
struct Box { double left, top, right, bottom; };

Box content(const std::vector<double>& grey, int width, int height) {
#if !TRIM
  return {0,0,(double)width,(double)height};
#endif
  std::vector<int> rows(height), columns(width);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      if (grey[static_cast<std::size_t>(y) * width + x] < 235) { ++rows[y]; ++columns[x]; }
  auto range = [](const std::vector<int>& counts, int need) {
    int first = 0, last = (int)counts.size();
    while (first < last && counts[first] < need) ++first;
    while (last > first && counts[last - 1] < need) --last;
    return std::pair<double,double>(first, last);
  };
  auto [l, r] = range(columns, std::max(1, height / 100));
  auto [t, b] = range(rows, std::max(1, width / 100));
  if (r - l < width * 0.1 || b - t < height * 0.1) return {0, 0, (double)width, (double)height};
#if PADSQ
  double side=std::max(r-l,b-t), cx=(l+r)/2, cy=(t+b)/2;
  return {cx-side/2,cy-side/2,cx+side/2,cy+side/2};
#endif
  return {l, t, r, b};
}

/// Exact area average
Grid average(const std::vector<double>& grey, int width, int height, const Box& box) {
  std::vector<double> lines(static_cast<std::size_t>(kSide) * height);
  auto shares = [](double low, double high, int length, auto&& add) {
    double outside = std::max(0.0, std::min(high,0.0)-low) + std::max(0.0, high - std::max(low,(double)length));
    add(-1, outside/(high-low));
    for (int i = std::max(0, (int)std::floor(low)); i < std::min<double>(length, std::ceil(high)); ++i) {
      double covered = std::min(high, i + 1.0) - std::max(low, (double)i);
      if (covered > 0) add(i, covered / (high - low));
    }
  };
  for (int c = 0; c < kSide; ++c) {
    const double w = (box.right - box.left) / kSide;
    shares(box.left + c * w, box.left + (c + 1) * w, width, [&](int x, double share) {
      for (int y = 0; y < height; ++y) lines[(std::size_t)y * kSide + c] += share * (x < 0 ? 255 : grey[(std::size_t)y * width + x]);
    });
  }
  Grid grid{};
  for (int r = 0; r < kSide; ++r) {
    const double h = (box.bottom - box.top) / kSide;
    shares(box.top + r * h, box.top + (r + 1) * h, height, [&](int y, double share) {
      for (int c = 0; c < kSide; ++c) grid[r][c] += share * (y < 0 ? 255 : lines[(std::size_t)y * kSide + c]);
    });
  }
  return grid;
}

}  // namespace

std::uint64_t perceptual_hash(const Image& image) {
  const auto grey = luma(image);
  const auto grid = average(grey, image.width, image.height, content(grey, image.width, image.height));
  std::array<double, 64> coefficients{};
#ifndef F0
#define F0 1
#endif
  for (int v = 0; v < 8; ++v)
    for (int u = 0; u < 8; ++u) {
      double sum = 0;
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x)
          sum += grid[y][x] * std::cos(std::numbers::pi * (u + F0) * (x + 0.5) / kSide) * std::cos(std::numbers::pi * (v + F0) * (y + 0.5) / kSide);
      coefficients[v * 8 + u] = sum;
    }
  auto sorted = coefficients;
  std::nth_element(sorted.begin(), sorted.begin() + 32, sorted.end());
  std::uint64_t hash = 0;
  for (int i = 0; i < 64; ++i) if (coefficients[i] > sorted[32]) hash |= std::uint64_t{1} << i;
  return hash;
}

}  // namespace duet
