#pragma once
#include <cstdint>

namespace duet {

/// A keyed permutation of 0 … length − 1 in closed form: an alternating Feistel network on the next power of two, walked along its cycle
/// until it lands inside. Constant memory, constant expected time, any length up to 2^62.
class Permutation {
 public:
  Permutation(std::uint64_t key, std::int64_t length);
  std::int64_t operator()(std::int64_t index) const;
  std::int64_t inverse(std::int64_t image) const;

 private:
  std::uint64_t encipher(std::uint64_t value) const;
  std::uint64_t decipher(std::uint64_t value) const;

  std::uint64_t key_;
  std::uint64_t length_;
  int low_bits_;
  std::uint64_t low_mask_, high_mask_;
};

/// The order in which an epoch visits its records: a permutation of 0 … length − 1 without an index array, O(1) a position, any length to
/// 10^12 and beyond.
///
/// Two levels, so that reads stay local: blocks of `block` neighbouring records are permuted, then the records inside each group of `group`
/// blocks. While a group is visited, at most 2 · group shards (of at least `block` records) are touched, however uneven shards are. Up to
/// block · group records, the order is one permutation of all.
class SampleOrder {
 public:
  struct Shape {
    std::int64_t block = 128;
    std::int64_t group = 32;
  };

  SampleOrder(std::uint64_t seed, std::int64_t generation, std::int64_t epoch, std::int64_t length)
      : SampleOrder(seed, generation, epoch, length, Shape{}) {}
  SampleOrder(std::uint64_t seed, std::int64_t generation, std::int64_t epoch, std::int64_t length, Shape shape);

  std::int64_t length() const { return length_; }

  /// The record at a position of the epoch, 0 … length − 1.
  std::int64_t operator[](std::int64_t position) const;

  /// The position at which a record is visited.
  std::int64_t position_of(std::int64_t record) const;

 private:
  std::int64_t slot_start(std::int64_t slot) const;
  std::int64_t slot_at(std::int64_t place) const;
  std::int64_t shuffled_in_group(std::int64_t place, bool backwards) const;

  std::uint64_t key_;
  std::int64_t length_;
  Shape shape_;
  Permutation blocks_;       ///< slot → block
  std::int64_t missing_;     ///< records by which the last block is short
  std::int64_t short_slot_;  ///< where the last block, the short one, is visited
};

}  // namespace duet
