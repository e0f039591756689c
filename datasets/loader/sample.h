#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datasets/store/store.h"

namespace duet {

/// How many of `count` samples may be unreadable: max_bad_fraction of them, rounded up, so that one bad sample ends nothing.
std::int64_t bad_samples_allowed(double max_bad_fraction, std::int64_t count);

/// One photo as networks see it without augmentation: RGB [side, side, 3], the whole photo letterboxed on white, antialiased. The same
/// bytes that a BatchStream without augmentation gives. Throws DataError naming store, shard, index and id when it cannot be read.
/// Thread-safe.
std::vector<std::uint8_t> load_photo(const StoreView& view, std::int64_t index, int side, bool flipped = false);

/// One sketch as networks see it without augmentation: [side, side], drawn at 256 and averaged over areas; white on black unless
/// `dark_on_white`. Thread-safe.
std::vector<std::uint8_t> load_raster(const StoreView& view, std::int64_t sketch, int side, bool dark_on_white = false,
                                      bool flipped = false);

/// The same for a sketch that lies in no store (drawn by the generator, or by a user). Throws DataError naming `subject` when it is none.
std::vector<std::uint8_t> raster_of(std::span<const SketchPoint> sketch, int side, bool dark_on_white, const std::string& subject);

}  // namespace duet
