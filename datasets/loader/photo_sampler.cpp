#include "datasets/loader/photo_sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "monitoring/trace/trace.h"

namespace duet {
namespace {

/// Means over factor × factor squares; a rest at the right and lower edge is averaged over what is there.
template <typename Out>
void box_reduce(const std::uint8_t* source, int width, int height, int factor, Out& out, int out_width, int out_height) {
  for (int y = 0; y < out_height; ++y) {
    for (int x = 0; x < out_width; ++x) {
      const int right = std::min((x + 1) * factor, width), bottom = std::min((y + 1) * factor, height);
      unsigned sum[3] = {0, 0, 0};
      for (int v = y * factor; v < bottom; ++v) {
        const auto* pixel = source + (static_cast<std::size_t>(v) * width + x * factor) * 3;
        for (int u = x * factor; u < right; ++u, pixel += 3) {
          for (int c = 0; c < 3; ++c) sum[c] += pixel[c];
        }
      }
      const unsigned count = static_cast<unsigned>((right - x * factor) * (bottom - y * factor));
      for (int c = 0; c < 3; ++c)
        out[(static_cast<std::size_t>(y) * out_width + x) * 3 + c] = static_cast<std::uint8_t>((sum[c] + count / 2) / count);
    }
  }
}

constexpr int kFraction = 16;  // bits after the point of a source coordinate
constexpr std::int64_t kOne = std::int64_t{1} << kFraction;
constexpr int kWeight = 8;  // bits of an interpolation weight

std::int64_t fixed(double value) { return std::llround(value * static_cast<double>(kOne)); }

/// Largest range [first, last) of 0 … count − 1 in which low ≤ start + i·step < high.
void clip_range(std::int64_t start, std::int64_t step, std::int64_t low, std::int64_t high, int& first, int& last) {
  const auto inside = [&](int i) { return start + i * step >= low && start + i * step < high; };
  if (step == 0) {
    if (!inside(first)) last = first;
    return;
  }
  const double at_low = static_cast<double>(low - start) / static_cast<double>(step);
  const double at_high = static_cast<double>(high - start) / static_cast<double>(step);
  const auto clamp = [&](double at) { return static_cast<int>(std::clamp(at, static_cast<double>(first), static_cast<double>(last))); };
  int begin = clamp(std::floor(std::min(at_low, at_high)) - 1), end = clamp(std::ceil(std::max(at_low, at_high)) + 1);
  while (begin < end && !inside(begin)) ++begin;
  while (end > begin && !inside(end - 1)) --end;
  first = begin;
  last = end;
}

using Bytes = std::uint8_t __attribute__((vector_size(8)));
using Words = std::uint16_t __attribute__((vector_size(16)));

/// Two rows of at least 7 bytes, of which the first 6 are a pixel and its right neighbour. Eight channels at a time, because this is the
/// loader's innermost loop. All sums are below 2¹⁶ (255 · 256 and the rounding), and differences may wrap on the way to them.
inline void blend(const std::uint8_t* upper, const std::uint8_t* lower, std::uint16_t right, std::uint16_t below, std::uint8_t* out) {
  const auto wide = [](const std::uint8_t* from) {
    std::uint32_t pixel, neighbour;
    std::memcpy(&pixel, from, 4);
    std::memcpy(&neighbour, from + 3, 4);
    return __builtin_convertvector(std::bit_cast<Bytes>(std::uint64_t{neighbour} << 32 | pixel), Words);
  };
  constexpr std::uint16_t kHalf = 1 << (kWeight - 1);
  const Words top = wide(upper);
  const Words column = ((top << kWeight) + (wide(lower) - top) * below + kHalf) >> kWeight;
  const Words neighbour = __builtin_shufflevector(column, column, 4, 5, 6, 7, 4, 5, 6, 7);
  const Words mixed = ((column << kWeight) + (neighbour - column) * right + kHalf) >> kWeight;
  const auto bytes = __builtin_convertvector(mixed, Bytes);
  std::memcpy(out, &bytes, 3);
}

std::uint16_t weight(std::int64_t coordinate) { return static_cast<std::uint16_t>((coordinate & (kOne - 1)) >> (kFraction - kWeight)); }

/// `count` pixels from (u, v) on. Everything by value: writes through a byte pointer could change whatever has an address.
void blend_run(const std::uint8_t* pixels, std::ptrdiff_t stride, std::int64_t u, std::int64_t v, std::int64_t du, std::int64_t dv,
               int count, std::uint8_t* out) {
  for (const auto* end = out + static_cast<std::ptrdiff_t>(count) * 3; out != end; out += 3, u += du, v += dv) {
    const auto* corner = pixels + (v >> kFraction) * stride + (u >> kFraction) * 3;
    blend(corner, corner + stride, weight(u), weight(v), out);
  }
}

/// Bilinear; `map` takes the centre of an output pixel to the source, both in pixels with centres at ½. Outside the source: white.
void interpolate(const Image& source, const Affine& map, int side, std::uint8_t* out) {
  const int width = source.width, height = source.height;
  const auto du = fixed(map.xx), dv = fixed(map.yx);
  const auto half = kOne / 2;
  for (int y = 0; y < side; ++y, out += static_cast<std::size_t>(side) * 3) {
    const auto u0 = fixed(map.xx * 0.5 + map.xy * (y + 0.5) + map.x0), v0 = fixed(map.yx * 0.5 + map.yy * (y + 0.5) + map.y0);
    int first = 0, last = side;  // pixels of this row that lie on the source
    clip_range(u0, du, 0, width * kOne, first, last);
    if (first < last) clip_range(v0, dv, 0, height * kOne, first, last);
    if (first >= last) first = last = side;
    std::memset(out, 255, static_cast<std::size_t>(first) * 3);
    std::memset(out + static_cast<std::size_t>(last) * 3, 255, static_cast<std::size_t>(side - last) * 3);
    int inner_first = first, inner_last = last;  // pixels all of whose neighbours exist, and one column more: blend() reads ahead
    if (first < last) clip_range(u0, du, half, (width - 2) * kOne + half, inner_first, inner_last);
    if (inner_first < inner_last) clip_range(v0, dv, half, (height - 1) * kOne + half, inner_first, inner_last);
    if (inner_first >= inner_last) inner_first = inner_last = first;

    const auto* pixels = source.pixels.data();
    const auto stride = static_cast<std::ptrdiff_t>(width) * 3;
    const auto edge = [&](int x) {
      const auto u = u0 + x * du - half, v = v0 + x * dv - half;
      const auto left = static_cast<int>(u >> kFraction), top = static_cast<int>(v >> kFraction);
      std::uint8_t rows[2][8] = {};
      for (int row = 0; row < 2; ++row) {
        for (int column = 0; column < 2; ++column) {
          const auto* pixel = pixels + std::clamp(top + row, 0, height - 1) * stride + std::clamp(left + column, 0, width - 1) * 3;
          std::memcpy(rows[row] + 3 * column, pixel, 3);
        }
      }
      blend(rows[0], rows[1], weight(u), weight(v), out + static_cast<std::size_t>(x) * 3);
    };
    for (int x = first; x < inner_first; ++x) edge(x);
    blend_run(pixels, stride, u0 + inner_first * du - half, v0 + inner_first * dv - half, du, dv, inner_last - inner_first,
              out + static_cast<std::size_t>(inner_first) * 3);
    for (int x = inner_last; x < last; ++x) edge(x);
  }
}

}  // namespace

void PhotoSampler::load(const StoreView& view, std::int64_t index, const Affine& placement, int side, std::span<std::uint8_t> out) {
  const auto info = [&] {
    TraceSpan span("read", SpanKind::loading);
    auto read = view.read_photo(index, stored_);
    span.with("bytes", std::ssize(stored_));
    return read;
  }();
  if (view.store().manifest().photo_format == PhotoFormat::raw) {
    decoded_.width = info.width;
    decoded_.height = info.height;
    decoded_.channels = 3;
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(stored_.data());
    decoded_.pixels.assign(pixels, pixels + stored_.size());
  } else {
    const TraceSpan span("decode", SpanKind::loading);
    const auto [shorter, longer] = std::minmax(info.width, info.height);
    const auto sufficient = std::max<std::int64_t>(1, (std::int64_t{shorter} * side + longer - 1) / longer);
    decoder_.decode(stored_, static_cast<int>(sufficient),
                    fmt::format("{}, photo {} (id '{}')", view.store().path().string(), index, info.id), decoded_);
  }
  sample(decoded_, placement, side, out);
}

void PhotoSampler::sample(const Image& source, const Affine& placement, int side, std::span<std::uint8_t> out) {
  DUET_CHECK(source.channels == 3 && source.width > 0 && source.height > 0 && side > 0, "{} x {} x {} to {}", source.width, source.height,
             source.channels, side);
  DUET_CHECK(out.size() == static_cast<std::size_t>(side) * side * 3, "{} bytes for side {}", out.size(), side);
  const double longer = std::max(source.width, source.height);
  const Image* from = &source;
  const int factor = static_cast<int>(longer) / side;
  if (factor >= 2) {
    reduced_.width = (source.width + factor - 1) / factor;
    reduced_.height = (source.height + factor - 1) / factor;
    reduced_.channels = 3;
    reduced_.pixels.resize(static_cast<std::size_t>(reduced_.width) * reduced_.height * 3);
    box_reduce(source.pixels.data(), source.width, source.height, factor, reduced_.pixels, reduced_.width, reduced_.height);
    from = &reduced_;
  }
  const double left = factor >= 2 ? longer / factor : longer;  // of the longer side; not whole where a rest was averaged

  const bool still_shrinks = left > 1.1 * side;  // less than twice: four samples a pixel are enough
  const int sampled_side = still_shrinks ? 2 * side : side;
  const double canvas_per_output = static_cast<double>(kCanvasSide) / sampled_side, source_per_canvas = left / kCanvasSide;
  const double unit = factor >= 2 ? 1.0 / factor : 1.0;
  const Affine to_canvas{canvas_per_output, 0, 0, 0, canvas_per_output, 0};
  const Affine to_source{source_per_canvas,
                         0,
                         source.width * unit / 2 - kCanvasSide / 2.0 * source_per_canvas,
                         0,
                         source_per_canvas,
                         source.height * unit / 2 - kCanvasSide / 2.0 * source_per_canvas};
  const Affine map = to_source.after(placement.inverse().after(to_canvas));
  if (!still_shrinks) return interpolate(*from, map, side, out.data());
  fine_.resize(out.size() * 4);
  interpolate(*from, map, sampled_side, fine_.data());
  box_reduce(fine_.data(), sampled_side, sampled_side, 2, out, side, side);
}

}  // namespace duet
