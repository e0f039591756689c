#include "trainer/kernels/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace duet {
namespace {

// The compiler's own vectors: one instruction on AVX-512, two on AVX2, four on the baseline. may_alias: they lie in arrays of scalars.
typedef float FloatLanes __attribute__((vector_size(64), may_alias));
typedef double DoubleLanes __attribute__((vector_size(64), may_alias));
template <typename Scalar>
struct LanesOf;
template <>
struct LanesOf<float> {
  using Type = FloatLanes;
};
template <>
struct LanesOf<double> {
  using Type = DoubleLanes;
};

/// What one product works on: a panel of the matrix, a block of interleaved rows, and where their sums go.
template <typename Scalar>
struct Tile {
  const Scalar* panel;
  const Scalar* rows;
  std::int64_t inputs;
  const Scalar* bias;
  Scalar* result;
  std::int64_t result_stride;
};

/// kRows rows of a tile, from row `first`; the sums stay in registers, so kRows is what the machine's registers hold.
template <int kRows, typename Scalar>
[[gnu::always_inline]] inline void multiply_rows(const Tile<Scalar>& tile, std::int64_t first) {
  using Lanes = typename LanesOf<Scalar>::Type;
  constexpr std::int64_t kPanel = PackedMatrix<Scalar>::kPanel, kBlock = PackedMatrix<Scalar>::kBlock;
  constexpr std::int64_t kAhead = 32;  // inputs; the panel streams from the third cache level
  Lanes sum[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sum[r] = *reinterpret_cast<const Lanes*>(tile.bias);
  for (std::int64_t k = 0; k < tile.inputs; ++k) {
    const Scalar* weights = tile.panel + k * kPanel;
    const Scalar* values = tile.rows + k * kBlock + first;
    __builtin_prefetch(weights + kAhead * kPanel);
    const Lanes weight = *reinterpret_cast<const Lanes*>(weights);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sum[r] += weight * values[r];
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) *reinterpret_cast<Lanes*>(tile.result + (first + r) * tile.result_stride) = sum[r];
}

/// `count` ≤ kBlock rows of a tile, rounded up to the next multiple of four. With kMost = 16 in one pass over the panel.
template <int kMost, typename Scalar>
[[gnu::always_inline]] inline void multiply_block(const Tile<Scalar>& tile, std::int64_t count) {
  if constexpr (kMost == 16) {
    if (count > 12) return multiply_rows<16>(tile, 0);
    if (count > 8) return multiply_rows<12>(tile, 0);
    if (count > 4) return multiply_rows<8>(tile, 0);
  }
  for (std::int64_t row = 0; row < count; row += 4) multiply_rows<4>(tile, row);
}

template <typename Scalar>
using Product = void (*)(const Tile<Scalar>&, std::int64_t count);

// 16 of 32 registers for the sums with AVX-512; 8 of 16 with AVX2; all 16 on the baseline.
#if defined(__x86_64__)
template <typename Scalar>
[[gnu::target("arch=x86-64-v4")]] void product_avx512(const Tile<Scalar>& tile, std::int64_t count) {
  multiply_block<16>(tile, count);
}
template <typename Scalar>
[[gnu::target("arch=x86-64-v3")]] void product_avx2(const Tile<Scalar>& tile, std::int64_t count) {
  multiply_block<4>(tile, count);
}
#endif
template <typename Scalar>
void product_baseline(const Tile<Scalar>& tile, std::int64_t count) {
  multiply_block<4>(tile, count);
}

template <typename Scalar>
Product<Scalar> fastest_product() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq"))
    return product_avx512<Scalar>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) return product_avx2<Scalar>;
#endif
  return product_baseline<Scalar>;
}

}  // namespace

template <typename Scalar>
AlignedBuffer<Scalar>::AlignedBuffer(std::int64_t count) {
  const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(Scalar) / 64 + 1) * 64;
  data_.reset(static_cast<Scalar*>(std::aligned_alloc(64, bytes)));
  if (!data_) throw std::bad_alloc();
  std::memset(static_cast<void*>(data_.get()), 0, bytes);
}

template <typename Scalar>
PackedMatrix<Scalar>::PackedMatrix(std::int64_t outputs, std::int64_t inputs)
    : inputs_(inputs), panels_((outputs + kPanel - 1) / kPanel), values_(panels_ * kPanel * inputs) {}

template <typename Scalar>
void PackedMatrix<Scalar>::set(const Scalar* weight, std::int64_t outputs, std::int64_t inputs, std::int64_t stride,
                               std::int64_t first_output, std::int64_t first_input) {
  // A panel at a time: its weights are read as kPanel streams and written as one.
  for (std::int64_t begin = 0; begin < outputs;) {
    const std::int64_t panel = (first_output + begin) / kPanel;
    const std::int64_t end = std::min(outputs, (panel + 1) * kPanel - first_output);
    Scalar* target = values_.data() + (panel * inputs_ + first_input) * kPanel;
    for (std::int64_t k = 0; k < inputs; ++k)
      for (std::int64_t o = begin; o < end; ++o) target[k * kPanel + (first_output + o) % kPanel] = weight[o * stride + k];
    begin = end;
  }
}

template <typename Scalar>
void PackedMatrix<Scalar>::interleave(const Scalar* rows, std::int64_t count, std::int64_t stride, Scalar* interleaved) const {
  for (std::int64_t block = 0; block < count; block += kBlock) {
    const std::int64_t filled = std::min(count - block, kBlock);
    for (std::int64_t k = 0; k < inputs_; ++k)
      for (std::int64_t r = 0; r < filled; ++r) interleaved[block * inputs_ + k * kBlock + r] = rows[(block + r) * stride + k];
  }
}

template <typename Scalar>
void PackedMatrix<Scalar>::multiply(const Scalar* rows, std::int64_t count, const Scalar* bias, Scalar* result) const {
  static const Product<Scalar> product = fastest_product<Scalar>();
  for (std::int64_t panel = 0; panel < panels_; ++panel)
    for (std::int64_t row = 0; row < count; row += kBlock)
      product({values_.data() + panel * inputs_ * kPanel, rows + row * inputs_, inputs_, bias + panel * kPanel,
               result + row * padded_outputs() + panel * kPanel, padded_outputs()},
              std::min(count - row, kBlock));
}

template class AlignedBuffer<float>;
template class AlignedBuffer<double>;
template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace duet
