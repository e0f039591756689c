#include "datasets/loader/sample_order.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/random.h"

namespace duet {
namespace {

constexpr int kRounds = 8;

std::uint64_t order_key(std::uint64_t seed, std::int64_t generation, std::int64_t epoch) {
  return KeyedRandom(seed, Purpose::sample_order, static_cast<std::uint64_t>(generation), static_cast<std::uint64_t>(epoch)).next();
}

std::int64_t block_count(std::int64_t length, const SampleOrder::Shape& shape) {
  DUET_CHECK(length > 0 && shape.block > 0 && shape.group > 0, "{} records in blocks of {}, groups of {}", length, shape.block,
             shape.group);
  return (length - 1) / shape.block + 1;
}

}  // namespace

Permutation::Permutation(std::uint64_t key, std::int64_t length) : key_(key), length_(static_cast<std::uint64_t>(length)) {
  DUET_CHECK(length > 0 && length <= std::int64_t{1} << 62, "a permutation of {}", length);
  const int bits = std::bit_width(length_ - 1);
  low_bits_ = bits / 2;
  low_mask_ = (std::uint64_t{1} << low_bits_) - 1;
  high_mask_ = (std::uint64_t{1} << (bits - low_bits_)) - 1;
}

std::uint64_t Permutation::encipher(std::uint64_t value) const {
  auto low = value & low_mask_, high = value >> low_bits_;
  for (int round = 0; round < kRounds; ++round) {
    auto& changed = round % 2 == 0 ? high : low;
    const auto other = round % 2 == 0 ? low : high;
    changed = (changed ^ mix(key_ + static_cast<std::uint64_t>(round), other)) & (round % 2 == 0 ? high_mask_ : low_mask_);
  }
  return high << low_bits_ | low;
}

std::uint64_t Permutation::decipher(std::uint64_t value) const {
  auto low = value & low_mask_, high = value >> low_bits_;
  for (int round = kRounds - 1; round >= 0; --round) {
    auto& changed = round % 2 == 0 ? high : low;
    const auto other = round % 2 == 0 ? low : high;
    changed = (changed ^ mix(key_ + static_cast<std::uint64_t>(round), other)) & (round % 2 == 0 ? high_mask_ : low_mask_);
  }
  return high << low_bits_ | low;
}

std::int64_t Permutation::operator()(std::int64_t index) const {
  // Values at and past the length are stations on the cycle that the permutation of the power of two makes;
  // at least half of all values are inside.
  auto value = encipher(static_cast<std::uint64_t>(index));
  while (value >= length_) value = encipher(value);
  return static_cast<std::int64_t>(value);
}

std::int64_t Permutation::inverse(std::int64_t image) const {
  auto value = decipher(static_cast<std::uint64_t>(image));
  while (value >= length_) value = decipher(value);
  return static_cast<std::int64_t>(value);
}

SampleOrder::SampleOrder(std::uint64_t seed, std::int64_t generation, std::int64_t epoch, std::int64_t length, Shape shape)
    : key_(order_key(seed, generation, epoch)), length_(length), shape_(shape), blocks_(mix(key_, 0), block_count(length, shape)) {
  const auto count = block_count(length, shape);
  missing_ = count * shape_.block - length_;
  short_slot_ = blocks_.inverse(count - 1);
}

/// Slots are where blocks are visited; all are full but the one of the last block.
std::int64_t SampleOrder::slot_start(std::int64_t slot) const { return slot * shape_.block - (slot > short_slot_ ? missing_ : 0); }

std::int64_t SampleOrder::slot_at(std::int64_t place) const {
  const auto slot = place / shape_.block;
  return slot > short_slot_ || (slot == short_slot_ && place >= slot_start(slot) + shape_.block - missing_)
             ? (place + missing_) / shape_.block
             : slot;
}

std::int64_t SampleOrder::shuffled_in_group(std::int64_t place, bool backwards) const {
  const auto group = slot_at(place) / shape_.group;
  const auto begin = slot_start(group * shape_.group);
  const auto end = std::min(slot_start((group + 1) * shape_.group), length_);
  const Permutation inside(mix(key_, 1 + static_cast<std::uint64_t>(group)), end - begin);
  return begin + (backwards ? inside.inverse(place - begin) : inside(place - begin));
}

std::int64_t SampleOrder::operator[](std::int64_t position) const {
  DUET_CHECK(position >= 0 && position < length_, "position {} of {}", position, length_);
  const auto place = shuffled_in_group(position, false);
  const auto slot = slot_at(place);
  return blocks_(slot) * shape_.block + (place - slot_start(slot));
}

std::int64_t SampleOrder::position_of(std::int64_t record) const {
  DUET_CHECK(record >= 0 && record < length_, "record {} of {}", record, length_);
  const auto slot = blocks_.inverse(record / shape_.block);
  return shuffled_in_group(slot_start(slot) + record % shape_.block, true);
}

}  // namespace duet
