#pragma once
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "datasets/store/shard.h"

namespace duet {

/// The shards that are open: the least recently used one is closed when there would be more than `capacity`. A shard in use stays valid for
/// whoever holds it. Thread-safe.
class ShardCache {
 public:
  using Open = std::function<std::shared_ptr<const ShardReader>(std::size_t number)>;

  ShardCache(std::size_t capacity, Open open);

  /// What `open` throws passes through, and the shard is tried anew next time.
  std::shared_ptr<const ShardReader> get(std::size_t number);

 private:
  using Entry = std::pair<std::size_t, std::shared_ptr<const ShardReader>>;

  std::size_t capacity_;
  Open open_;
  std::mutex mutex_;
  std::list<Entry> recent_;  // most recently used first
  std::unordered_map<std::size_t, std::list<Entry>::iterator> places_;
};

}  // namespace duet
