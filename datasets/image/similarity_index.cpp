#include "datasets/image/similarity_index.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/error.h"

namespace duet {

namespace {

constexpr int kBits = 64;

int bits_of_third(int table, int tables) { return (kBits - table + tables - 1) / tables; }

/// `pattern` and every pattern that adds up to `more` bits to it, from bit `lowest` on.
void add_patterns(std::uint32_t pattern, int lowest, int bits, int more, std::vector<std::uint32_t>& out) {
  out.push_back(pattern);
  if (more == 0) return;
  for (int bit = lowest; bit < bits; ++bit) add_patterns(pattern | (1U << bit), bit + 1, bits, more - 1, out);
}

}  // namespace

SimilarityIndex::SimilarityIndex(int radius) : radius_(radius) {
  DUET_CHECK(radius >= 0 && radius <= 8, "radius {}", radius);
  // What the tables look up, each one bit more, adds up to radius + 1: a hash that none of them finds differs in more bits.
  for (int table = 0; table < kTables; ++table) {
    const int differing = (radius + 1 + table) / kTables - 1;
    if (differing >= 0) add_patterns(0, 0, bits_of_third(table, kTables), differing, tables_[static_cast<std::size_t>(table)].patterns);
  }
}

// Every third bit: neighbours, which are of similar frequencies, resemble each other, and a table's buckets should fill evenly.
std::uint32_t SimilarityIndex::third(std::uint64_t hash, int table) {
  std::uint32_t value = 0;
  for (int bit = table, to = 0; bit < kBits; bit += kTables, ++to) value |= static_cast<std::uint32_t>(hash >> bit & 1) << to;
  return value;
}

void SimilarityIndex::make_tables() {
  for (int table = 0; table < kTables; ++table) {
    auto& [patterns, heads, used] = tables_[static_cast<std::size_t>(table)];
    const auto values = std::size_t{1} << bits_of_third(table, kTables);
    heads.assign(values, 0);
    used.assign(values, false);
  }
  for (std::size_t number = 0; number < count_; ++number) link(number);
}

void SimilarityIndex::link(std::size_t number) {
  auto& linked = entry(number);
  for (std::size_t table = 0; table < kTables; ++table) {
    auto& [patterns, heads, used] = tables_[table];
    const auto value = third(linked.hash(), static_cast<int>(table));
    used[value] = true;
    linked.next[table] = heads[value];
    heads[value] = static_cast<std::uint32_t>(number + 1);
  }
}

std::int64_t SimilarityIndex::add(std::uint64_t hash) {
  const auto number = count_;
  if (number >= std::numeric_limits<std::uint32_t>::max() - 1) throw DataError("more than {} photos in one store.", number);
  if (number % kBlock == 0) blocks_.emplace_back().reserve(number == 0 ? 0 : kBlock);  // the first may stay small
  blocks_.back().emplace_back(hash);
  ++count_;
  if (count_ > kCompared)
    link(number);
  else if (count_ == kCompared)
    make_tables();
  return static_cast<std::int64_t>(number);
}

std::vector<std::int64_t> SimilarityIndex::matches(std::uint64_t hash) const {
  std::vector<std::int64_t> found;
  const auto compare = [&](std::size_t number) {
    if (std::popcount(entry(number).hash() ^ hash) <= radius_) found.push_back(static_cast<std::int64_t>(number));
  };
  if (count_ < kCompared) {
    for (std::size_t number = 0; number < count_; ++number) compare(number);
    return found;
  }
  std::vector<std::uint32_t> chains;
  for (std::size_t table = 0; table < kTables; ++table) {
    const auto& [patterns, heads, used] = tables_[table];
    const auto own = third(hash, static_cast<int>(table));
    chains.clear();
    for (const auto pattern : patterns)
      if (used[own ^ pattern]) chains.push_back(heads[own ^ pattern]);
    // One step in all chains at a time: a large index lies in memory that is slow to answer, but answers many questions at once.
    while (!chains.empty()) {
      for (const auto link : chains) __builtin_prefetch(&entry(link - 1));
      for (auto& link : chains) {
        compare(link - 1);
        link = entry(link - 1).next[table];
      }
      std::erase(chains, 0U);
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::optional<std::int64_t> SimilarityIndex::nearest(std::uint64_t hash) const {
  std::optional<std::int64_t> best;
  int best_distance = radius_ + 1;
  for (const auto number : matches(hash)) {
    const int distance = std::popcount(entry(static_cast<std::size_t>(number)).hash() ^ hash);
    if (distance >= best_distance) continue;
    best = number;
    best_distance = distance;
  }
  return best;
}

}  // namespace duet
