#pragma once
#include <hdf5.h>

#include <cstddef>
#include <cstdint>

namespace duet {

/// What writer and reader of shards must agree on beyond the names in shard.h.
inline constexpr std::int32_t kShardVersion = 1;

/// Fixed length, padded with zeros; an id may fill it. To be closed by the caller.
hid_t make_id_type(std::size_t width);

}  // namespace duet
