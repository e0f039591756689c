#include "datasets/image/similarity_index.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/error.h"

namespace duet {

namespace {

/// `pattern` and every pattern that adds up to `more` bits above its highest one.
void add_patterns(std::uint32_t pattern, int lowest, int more, std::vector<std::uint32_t>& out) {
  out.push_back(pattern);
  if (more == 0) return;
  for (int bit = lowest; bit < 32; ++bit) add_patterns(pattern | (1U << bit), bit + 1, more - 1, out);
}

}  // namespace

SimilarityIndex::SimilarityIndex(int radius) : radius_(radius) {
  DUET_CHECK(radius >= 0 && radius <= 8, "radius {}", radius);
  add_patterns(0, 0, radius / 2, patterns_);
  std::stable_sort(patterns_.begin(), patterns_.end(), [](auto a, auto b) { return std::popcount(a) < std::popcount(b); });
  const int bits[2] = {radius / 2, radius - radius / 2 - 1};
  for (int table = 0; table < 2; ++table) {
    pattern_count_[table] = static_cast<std::size_t>(
        std::count_if(patterns_.begin(), patterns_.end(), [&](auto pattern) { return std::popcount(pattern) <= bits[table]; }));
  }
}

void SimilarityIndex::make_tables() {
  for (int table = 0; table < 2; ++table) {
    heads_[table].assign(std::size_t{1} << kTableBits, 0);
    used_[table].assign(std::size_t{1} << kTableBits, false);
  }
  for (std::size_t number = 0; number < entries_.size(); ++number) link(number);
}

void SimilarityIndex::link(std::size_t number) {
  auto& entry = entries_[number];
  for (int table = 0; table < 2; ++table) {
    const auto place = bucket(half(entry.hash, table));
    auto& head = heads_[table][place];
    used_[table][place] = true;
    entry.next[table] = head;
    head = static_cast<std::uint32_t>(number + 1);
  }
}

std::int64_t SimilarityIndex::add(std::uint64_t hash) {
  const auto number = entries_.size();
  if (number >= std::numeric_limits<std::uint32_t>::max() - 1) throw DataError("more than {} photos in one store.", number);
  entries_.push_back({hash, {}});
  if (entries_.size() > kCompared)
    link(number);
  else if (entries_.size() == kCompared)
    make_tables();
  return static_cast<std::int64_t>(number);
}

std::vector<std::int64_t> SimilarityIndex::matches(std::uint64_t hash) const {
  std::vector<std::int64_t> found;
  if (entries_.size() < kCompared) {
    std::int64_t number = 0;
    for (const auto& entry : entries_) {
      if (std::popcount(entry.hash ^ hash) <= radius_) found.push_back(number);
      ++number;
    }
    return found;
  }
  for (int table = 0; table < 2; ++table) {
    for (std::size_t i = 0; i < pattern_count_[table]; ++i) {
      const auto place = bucket(half(hash, table) ^ patterns_[i]);
      if (!used_[table][place]) continue;
      for (auto link = heads_[table][place]; link != 0; link = entries_[link - 1].next[table]) {
        if (std::popcount(entries_[link - 1].hash ^ hash) <= radius_) found.push_back(link - 1);
      }
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
    const int distance = std::popcount(entries_[static_cast<std::size_t>(number)].hash ^ hash);
    if (distance >= best_distance) continue;
    best = number;
    best_distance = distance;
  }
  return best;
}

}  // namespace duet
