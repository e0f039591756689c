#pragma once
#include <functional>
#include <map>
#include <tuple>

#include "base/torch.h"

namespace duet {

/// Features of samples under a network that does not change (the teacher, a frozen encoder), kept up to a number of bytes.
///
/// What does not fit is computed each time. On CPUs samples are computed one by one, so that a feature is the same bits whether it was kept
/// or not, and whatever stood beside it: a resumed run starts with an empty cache. On devices, where single images would starve the
/// machine, the missing ones are computed together.
class FeatureCache {
 public:
  explicit FeatureCache(std::int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  struct Key {
    int source;           ///< which stream of samples; the caller's numbering
    std::int64_t record;  ///< index in its view, which a newer generation leaves as it was
    bool flipped;
    auto operator<=>(const Key&) const = default;
  };

  /// One row a key. compute(rows): features of those rows of the batch, in order, first dimension the rows.
  Tensor get(const std::vector<Key>& keys, const std::function<Tensor(const std::vector<std::int64_t>& rows)>& compute, bool one_by_one);

  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t limit_bytes_;
  std::int64_t bytes_ = 0;
  std::map<Key, Tensor> kept_;
};

}  // namespace duet
