#include "datasets/store/shard_cache.h"

namespace duet {

ShardCache::ShardCache(std::size_t capacity, Open open) : capacity_(capacity), open_(std::move(open)) {}

std::shared_ptr<const ShardReader> ShardCache::get(std::size_t number) {
  const auto known = [&]() -> std::shared_ptr<const ShardReader> {
    const auto found = places_.find(number);
    if (found == places_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->second;
  };
  {
    const std::lock_guard lock(mutex_);
    if (auto shard = known()) return shard;
  }
  // Opened without the lock, so that readers of other shards need not wait for the disk; two threads may open the same one,
  // the first is kept.
  auto opened = open_(number);
  std::shared_ptr<const ShardReader> closed;  // released after the lock
  const std::lock_guard lock(mutex_);
  if (auto shard = known()) return shard;
  recent_.emplace_front(number, opened);
  places_[number] = recent_.begin();
  if (recent_.size() > capacity_) {
    closed = std::move(recent_.back().second);
    places_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return opened;
}

}  // namespace duet
