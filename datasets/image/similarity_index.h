#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace duet {

/// Finds, among 64-bit perceptual hashes, those within a few bits of a given one, without comparing it to all.
///
/// Two hashes that differ in at most r bits differ in at most ⌊r/2⌋ bits in the one half, or in at most r − ⌊r/2⌋ − 1 bits in the other.
/// Each half has a chained hash table; a search looks up every pattern that near to its own halves (47,000 for r = 8, most of which a
/// bitmap of the buckets in use answers: 0.1 ms while there are fewer than a million hashes). The tables are made once there are kCompared
/// hashes; fewer are compared sooner than looked up. Memory: 16 bytes a hash, and 33 MiB with the tables. One thread at a time.
class SimilarityIndex {
 public:
  /// radius: 0 … 8 bits.
  explicit SimilarityIndex(int radius);

  /// Returns the hash's number: 0, 1, 2, … in the order of adding. At most 2³² − 2.
  std::int64_t add(std::uint64_t hash);

  /// Numbers of all hashes within the radius, ascending.
  std::vector<std::int64_t> matches(std::uint64_t hash) const;

  /// The nearest within the radius; of equally near ones the first added.
  std::optional<std::int64_t> nearest(std::uint64_t hash) const;

  /// The hash of a number.
  std::uint64_t hash(std::int64_t number) const { return entries_.at(static_cast<std::size_t>(number)).hash; }

  std::int64_t size() const { return static_cast<std::int64_t>(entries_.size()); }

 private:
  static constexpr int kTableBits = 22;
  static constexpr std::size_t kCompared = 1 << 14;
  struct Entry {
    std::uint64_t hash;
    std::uint32_t next[2];  // number + 1 of the next entry in the chain of each table
  };
  static_assert(sizeof(Entry) == 16, "what the header promises");

  static std::uint32_t half(std::uint64_t hash, int table) { return static_cast<std::uint32_t>(hash >> (32 * table)); }
  static std::size_t bucket(std::uint32_t half) { return (half * 0x9E3779B1U) >> (32 - kTableBits); }

  void make_tables();
  void link(std::size_t number);

  int radius_;
  std::vector<std::uint32_t> patterns_;  // in the order of their number of bits
  std::size_t pattern_count_[2];         // how many of them the search in each table needs
  std::vector<std::uint32_t> heads_[2];  // number + 1 of the newest entry of each bucket, 0: none
  std::vector<bool> used_[2];            // heads_ != 0, small enough for a processor's cache
  std::deque<Entry> entries_;            // no reallocation: a vector would hold three times as much while it grows
};

}  // namespace duet
