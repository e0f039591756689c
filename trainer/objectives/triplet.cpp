#include "trainer/objectives/triplet.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/random.h"
#include "trainer/objectives/rows.h"

namespace duet {
namespace {

// A random permutation of one group's members in which no row meets its own photo. Each repair swaps a row that meets its own photo `a`
// with one that neither shows `a` nor was given it. With m rows of photo a among n there are at least n − m − (m − 1) such rows, one at
// least where 2m ≤ n.
void derange(std::span<const std::int64_t> members, std::span<const std::int64_t> photo, KeyedRandom& random,
             std::vector<std::int64_t>& negative) {
  std::vector<std::int64_t> given(members.begin(), members.end());
  for (auto i = given.size(); i > 1; --i) std::swap(given[i - 1], given[random.below(i)]);
  auto photo_of = [&](std::int64_t row) { return photo[static_cast<std::size_t>(row)]; };
  std::vector<std::size_t> partners;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto own = photo_of(members[i]);
    if (photo_of(given[i]) != own) continue;
    partners.clear();
    for (std::size_t j = 0; j < members.size(); ++j) {
      if (photo_of(members[j]) != own && photo_of(given[j]) != own) partners.push_back(j);
    }
    DUET_CHECK(!partners.empty(), "no partner for row {}", members[i]);
    std::swap(given[i], given[partners[random.below(partners.size())]]);
  }
  for (std::size_t i = 0; i < members.size(); ++i) negative[static_cast<std::size_t>(members[i])] = given[i];
}

void draw_each(std::span<const std::int64_t> members, std::span<const std::int64_t> photo, KeyedRandom& random,
               std::vector<std::int64_t>& negative) {
  std::vector<std::int64_t> others;
  for (const auto row : members) {
    others.clear();
    std::copy_if(members.begin(), members.end(), std::back_inserter(others),
                 [&](std::int64_t other) { return photo[static_cast<std::size_t>(other)] != photo[static_cast<std::size_t>(row)]; });
    negative[static_cast<std::size_t>(row)] = others[random.below(others.size())];
  }
}

}  // namespace

std::vector<std::int64_t> negatives(const BatchRows& rows, std::uint64_t seed, std::uint64_t step) {
  DUET_CHECK(rows.photo.size() == rows.group.size(), "{} photos, {} groups", rows.photo.size(), rows.group.size());
  std::map<std::int64_t, std::vector<std::int64_t>> groups;
  for (std::size_t row = 0; row < rows.group.size(); ++row) groups[rows.group[row]].push_back(static_cast<std::int64_t>(row));

  std::vector<std::int64_t> negative(rows.photo.size(), -1);
  for (const auto& [group, members] : groups) {
    std::unordered_map<std::int64_t, std::size_t> rows_of_photo;
    std::size_t most = 0;
    for (const auto row : members) most = std::max(most, ++rows_of_photo[rows.photo[static_cast<std::size_t>(row)]]);
    if (rows_of_photo.size() == 1) {
      throw UsageError("The triplet loss needs two photos in a batch: all {} {} rows of step {} show photo {}. Raise the global batch.",
                       members.size(), group == 0 ? "labelled" : "pool", step, rows.photo[static_cast<std::size_t>(members.front())]);
    }
    KeyedRandom random(seed, Purpose::negatives, step, static_cast<std::uint64_t>(group));
    if (2 * most <= members.size()) {
      derange(members, rows.photo, random, negative);
    } else {
      draw_each(members, rows.photo, random, negative);
    }
  }
  return negative;
}

Tensor triplet_terms(const Tensor& sketch, const Tensor& positive, const Tensor& negative, double margin) {
  auto near = (sketch - positive).norm(2, -1);
  auto far = (sketch - negative).norm(2, -1);
  return (margin + near - far).clamp_min(0);
}

Tensor triplet_loss(const Tensor& sketch, const Tensor& photo, std::span<const std::int64_t> negative, const Tensor& weight,
                    double margin) {
  return weighted_mean(triplet_terms(sketch, photo, photo.index_select(0, row_tensor(negative, photo.device())), margin), weight);
}

}  // namespace duet
