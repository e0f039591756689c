#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace duet {

/// Finds, among 64-bit perceptual hashes, those within a few bits of a given one, without comparing it to all.
///
/// The bits are dealt out to three thirds. Two hashes that differ in at most 8 bits differ in at most 2 bits of one third, or they would
/// differ in 9 (multi-index hashing; Norouzi, Punjani and Fleet, CVPR 2012). Each third has a table of chains; a search looks up every
/// pattern that near to its own thirds, 718 for radius 8, and compares what is chained there: 0.03 ms among a million hashes, 0.5 ms among
/// thirty million. The tables are made once there are kCompared hashes; fewer are compared sooner than looked up.
/// Memory: 20 bytes a hash, and 50 MiB with the tables. Searches may run in several threads at a time, but none beside an add().
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
  std::uint64_t hash(std::int64_t number) const { return entry(static_cast<std::size_t>(number)).hash(); }

  std::int64_t size() const { return static_cast<std::int64_t>(count_); }

 private:
  static constexpr int kTables = 3;
  static constexpr std::size_t kCompared = 1 << 12, kBlock = 1 << 16;

  /// One third of the bits and the chains of the hashes by it.
  struct Table {
    std::vector<std::uint32_t> patterns;  // what may differ: 0 first
    std::vector<std::uint32_t> heads;     // number + 1 of the newest hash of each value, 0: none
    std::vector<bool> used;               // heads != 0, small enough for a processor's cache
  };
  /// A hash and its links in 20 bytes: one line of a processor's cache, where two would cost a search twice the time.
  struct Entry {
    explicit Entry(std::uint64_t hash) : low(static_cast<std::uint32_t>(hash)), high(static_cast<std::uint32_t>(hash >> 32)) {}
    std::uint64_t hash() const { return std::uint64_t{high} << 32 | low; }
    std::uint32_t low, high;
    std::array<std::uint32_t, kTables> next = {};  // number + 1 of the next entry in the chain of each table
  };
  static_assert(sizeof(Entry) == 20, "what the comment promises");

  static std::uint32_t third(std::uint64_t hash, int table);

  const Entry& entry(std::size_t number) const { return blocks_[number / kBlock][number % kBlock]; }
  Entry& entry(std::size_t number) { return blocks_[number / kBlock][number % kBlock]; }
  void make_tables();
  void link(std::size_t number);

  int radius_;
  std::array<Table, kTables> tables_;
  std::vector<std::vector<Entry>> blocks_;  // of kBlock entries: one vector would need three times as much while it grows
  std::size_t count_ = 0;
};

}  // namespace duet
