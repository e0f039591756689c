#pragma once
#include <filesystem>

namespace duet {

/// Photos a second that a BatchStream delivers from a store's photos at the store's own side, with the augmentation that training uses,
/// over about `seconds` after a short start. Throws like Store::open, and UsageError when the store has no photos.
double loader_photos_per_second(const std::filesystem::path& store, double seconds, int threads);

}  // namespace duet
