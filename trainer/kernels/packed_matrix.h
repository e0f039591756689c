#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace duet {

/// Zeroed memory on a boundary of 64 bytes: a vector load never straddles two cache lines.
template <typename Scalar>
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::int64_t count);
  Scalar* data() { return data_.get(); }
  const Scalar* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(Scalar* data) const { std::free(data); }
  };
  std::unique_ptr<Scalar[], Free> data_;
};

/// A matrix in the order in which a product with a few dozen rows reads it, for weights that are used again and again.
///
/// Unlike a BLAS product, each element of the result is the same to the bit whatever the number of rows and threads (one chain of
/// multiply-adds over the inner dimension), so a row does not depend on its batch mates. Constant after construction; then thread-safe.
template <typename Scalar>
class PackedMatrix {
 public:
  /// Outputs are handled in panels of one 64-byte vector, rows in blocks of kBlock.
  static constexpr std::int64_t kPanel = 64 / sizeof(Scalar);
  static constexpr std::int64_t kBlock = 16;

  PackedMatrix(std::int64_t outputs, std::int64_t inputs);

  /// Copies weight [outputs, inputs] (row stride `stride`) to the place of outputs first_output… and inputs first_input…; what is never set
  /// is zero.
  void set(const Scalar* weight, std::int64_t outputs, std::int64_t inputs, std::int64_t stride, std::int64_t first_output,
           std::int64_t first_input);

  std::int64_t inputs() const { return inputs_; }
  /// outputs, rounded up to whole panels: the length of a row of results, and of the bias.
  std::int64_t padded_outputs() const { return panels_ * kPanel; }

  /// Rows of the buffers below: `count` rounded up to whole blocks.
  static std::int64_t padded_rows(std::int64_t count) { return (count + kBlock - 1) / kBlock * kBlock; }

  /// Brings rows [count, inputs()] (row stride `stride`) into the order that multiply() reads. interleaved:
  /// padded_rows(count) · inputs() values.
  void interleave(const Scalar* rows, std::int64_t count, std::int64_t stride, Scalar* interleaved) const;

  /// result[r, o] = bias[o] + Σ_k rows[r, k] · weight[o, k]. rows: `count` interleaved rows; bias: padded_outputs(); result:
  /// [padded_rows(count), padded_outputs()], of which rows from `count` on may be overwritten by anything. All from AlignedBuffers.
  void multiply(const Scalar* rows, std::int64_t count, const Scalar* bias, Scalar* result) const;

 private:
  std::int64_t inputs_, panels_;
  AlignedBuffer<Scalar> values_;  ///< [panel][input][kPanel]
};

}  // namespace duet
