#pragma once
#include <cstdint>
#include <span>

namespace duet {

/// Which photo each row of the global batch shows. Rows are the same, in the same order, on every rank.
///
/// group: 0 labelled pairs, 1 pool (any small numbers do). photo: the photo's index within its group's store; rows show the same photo when
/// both are equal, so labelled photo 3 and pool photo 3 are two photos. Both spans have one entry a row and must outlive the call they are
/// given to.
struct BatchRows {
  std::span<const std::int64_t> photo;
  std::span<const std::int64_t> group;
};

}  // namespace duet
