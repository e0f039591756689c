#include "datasets/sketch/rasterize.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"

namespace duet {
namespace {

/// The canvas with one bit a pixel: lines are set bit by bit, the dilation then works on 64 pixels at once.
/// One empty row above and one below, so that the dilation needs no special cases.
class Bitmap {
 public:
  explicit Bitmap(int side) : side_(side), words_((side + 63) / 64) {
    const auto size = static_cast<std::size_t>(side + 2) * words_;
    if (size > inline_.size()) heap_.resize(size);
    bits_ = heap_.empty() ? inline_.data() : heap_.data();
    std::memset(bits_, 0, size * sizeof(std::uint64_t));
  }
  Bitmap(const Bitmap&) = delete;
  Bitmap& operator=(const Bitmap&) = delete;

  int side() const { return side_; }
  int words() const { return words_; }
  std::uint64_t* row(int y) { return bits_ + static_cast<std::size_t>(y + 1) * words_; }
  bool inside(int x, int y) const { return x > 0 && x < side_ && y > 0 && y < side_; }
  void set(int x, int y) { row(y)[x >> 6] |= std::uint64_t{1} << (x & 63); }

 private:
  int side_;
  int words_;
  std::uint64_t* bits_;
  std::array<std::uint64_t, (kCanvasSide + 2) * (kCanvasSide / 64)> inline_;  // enough for the usual canvas; cleared above
  std::vector<std::uint64_t> heap_;
};

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return a / b + (a % b > 0); }  // b > 0

/// A line as the header defines it. `major` and `minor` are the absolute differences along the leading and the other axis; after k steps
/// the other axis has advanced floor((2·minor·k + major) / (2·major)) times, which is what the D of the definition counts. So a line can be
/// entered anywhere.
struct Line {
  std::int64_t major, minor;
  std::int64_t advances(std::int64_t k) const { return major == 0 ? 0 : (2 * minor * k + major) / (2 * major); }
};

/// The steps first … last during which start + direction · steps lies in 1 … side − 1.
std::pair<std::int64_t, std::int64_t> steps_inside(int start, int direction, int side) {
  return direction > 0 ? std::pair<std::int64_t, std::int64_t>{1 - start, side - 1 - start}
                       : std::pair<std::int64_t, std::int64_t>{start - (side - 1), start - 1};
}

void draw_line(Bitmap& bitmap, int x0, int y0, int x1, int y1) {
  const bool x_leads = std::abs(x1 - x0) > std::abs(y1 - y0);
  const Line line = x_leads ? Line{std::abs(x1 - x0), std::abs(y1 - y0)} : Line{std::abs(y1 - y0), std::abs(x1 - x0)};
  int step_x = x1 < x0 ? -1 : 1, step_y = y1 < y0 ? -1 : 1;

  std::int64_t first = 0, last = line.major;
  if (!bitmap.inside(x0, y0) || !bitmap.inside(x1, y1)) {
    // Only the steps inside the canvas: first by the leading axis, then by the other, whose position never falls as k grows.
    const auto lead = x_leads ? steps_inside(x0, step_x, bitmap.side()) : steps_inside(y0, step_y, bitmap.side());
    const auto other = x_leads ? steps_inside(y0, step_y, bitmap.side()) : steps_inside(x0, step_x, bitmap.side());
    first = std::max(first, lead.first);
    last = std::min(last, lead.second);
    if (line.minor == 0) {
      if (other.first > 0 || other.second < 0) return;
    } else {
      first = std::max(first, ceil_divide(line.major * (2 * other.first - 1), 2 * line.minor));
      last = std::min(last, ceil_divide(line.major * (2 * other.second + 1), 2 * line.minor) - 1);
    }
    if (first > last) return;
  }

  const auto advanced = first == 0 ? 0 : line.advances(first);
  const auto x = x0 + step_x * static_cast<int>(x_leads ? first : advanced);
  const auto y = y0 + step_y * static_cast<int>(x_leads ? advanced : first);
  // From here on everything is inside and small: 2·minor·(first + 1) − major − 2·major·advanced lies between ±2·major.
  const auto twice_major = static_cast<int>(2 * line.major), twice_minor = static_cast<int>(2 * line.minor);
  auto decision = static_cast<int>(2 * line.minor * (first + 1) - line.major - 2 * line.major * advanced);
  const int words = bitmap.words();
  auto count = static_cast<int>(last - first);
  auto* row = bitmap.row(y);
  int column = x;
  if (x_leads) {
    const std::ptrdiff_t next_row = step_y * words;
    for (;; --count) {
      row[column >> 6] |= std::uint64_t{1} << (column & 63);
      if (count == 0) break;
      if (decision >= 0) {
        row += next_row;
        decision -= twice_major;
      }
      decision += twice_minor;
      column += step_x;
    }
  } else {
    const std::ptrdiff_t next_row = step_y * words;
    for (;; --count) {
      row[column >> 6] |= std::uint64_t{1} << (column & 63);
      if (count == 0) break;
      if (decision >= 0) {
        column += step_x;
        decision -= twice_major;
      }
      decision += twice_minor;
      row += next_row;
    }
  }
}

/// kSpread[b]: byte i of the word is 255 where bit i of b is set (little-endian, as everything this program runs on).
constexpr auto kSpread = [] {
  std::array<std::uint64_t, 256> table{};
  for (unsigned bits = 0; bits < 256; ++bits) {
    for (int i = 0; i < 8; ++i) {
      if (bits >> i & 1) table[bits] |= std::uint64_t{0xff} << (8 * i);
    }
  }
  return table;
}();

/// One byte a bit: 255 where set, then exclusive-or with `invert` (0 or all ones). Writes `columns` bytes.
void spread_by_table(const std::uint64_t* bits, std::uint64_t invert, int columns, std::uint8_t* target) {
  for (int i = 0; i < columns; i += 8) {
    const std::uint64_t eight = kSpread[bits[i >> 6] >> (i & 63) & 255] ^ invert;
    std::memcpy(target + i, &eight, std::min(8, columns - i));
  }
}

#ifdef __x86_64__
/// The same; all of drawing is one and a half times as fast with it.
__attribute__((target("avx2"))) void spread_by_avx2(const std::uint64_t* bits, std::uint64_t invert, int columns, std::uint8_t* target) {
  const __m256i byte_of_column =
      _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit_of_column = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
  const __m256i inverted = _mm256_set1_epi64x(static_cast<long long>(invert));
  int i = 0;
  for (; i + 32 <= columns; i += 32) {
    const auto thirty_two = _mm256_set1_epi32(static_cast<int>(bits[i >> 6] >> (i & 63)));
    const auto own_bit = _mm256_and_si256(_mm256_shuffle_epi8(thirty_two, byte_of_column), bit_of_column);
    const auto bytes = _mm256_xor_si256(_mm256_cmpeq_epi8(own_bit, bit_of_column), inverted);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i), bytes);
  }
  for (; i < columns; i += 8) {
    const std::uint64_t eight = kSpread[bits[i >> 6] >> (i & 63) & 255] ^ invert;
    std::memcpy(target + i, &eight, std::min(8, columns - i));
  }
}
#endif

/// Dilates by the cross, 64 pixels at once, and writes a byte a pixel.
void write_dilated(Bitmap& bitmap, bool dark_on_white, std::uint8_t* out) {
  const int side = bitmap.side(), words = bitmap.words();
  const std::uint64_t invert = dark_on_white ? ~std::uint64_t{0} : 0;
  auto spread = spread_by_table;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2")) spread = spread_by_avx2;
#endif
  std::array<std::uint64_t, kMaxRasterSide / 64> dilated;
  for (int y = 0; y < side; ++y) {
    const auto* row = bitmap.row(y);
    const auto *above = row - words, *below = row + words;
    for (int w = 0; w < words; ++w) {
      const std::uint64_t from_left = w > 0 ? row[w - 1] >> 63 : 0, from_right = w + 1 < words ? row[w + 1] << 63 : 0;
      dilated[w] = row[w] | row[w] << 1 | from_left | row[w] >> 1 | from_right | above[w] | below[w];
    }
    spread(dilated.data(), invert, side, out + static_cast<std::size_t>(y) * side);
  }
}

int to_pixel(double value, Rounding rounding) { return static_cast<int>(rounding == Rounding::truncate ? value : std::nearbyint(value)); }

}  // namespace

void rasterize(std::span<const SketchPoint> sketch, const RasterOptions& options, std::span<std::uint8_t> out) {
  DUET_CHECK(options.side >= 1 && options.side <= kMaxRasterSide, "side {}", options.side);
  DUET_CHECK(out.size() == static_cast<std::size_t>(options.side) * options.side, "{} bytes for side {}", out.size(), options.side);
  Bitmap bitmap(options.side);
  bool starts = true;
  int previous_x = 0, previous_y = 0;
  for (const auto& point : sketch) {
    const int x = to_pixel(point.x, options.rounding), y = to_pixel(point.y, options.rounding);
    if (!starts) {
      draw_line(bitmap, previous_x, previous_y, x, y);
    } else if (bitmap.inside(x, y)) {
      bitmap.set(x, y);
    }
    previous_x = x;
    previous_y = y;
    starts = point.pen == 1;
  }
  write_dilated(bitmap, options.dark_on_white, out.data());
}

}  // namespace duet
