#pragma once
#include <filesystem>

namespace duet {

/// Folders that may lie in a store's folder beside its own: parts of an import before they are assembled, and while they are removed
/// afterwards (datasets/import/photos/assembly.h).
inline constexpr const char* kPartsFolder = "parts";
inline constexpr const char* kAssembledPartsFolder = "parts.assembled";

/// Whether a store may be made at `path`. Throws CannotCreate when there is one already, or a folder that holds something else.
void check_new_store(const std::filesystem::path& path);

}  // namespace duet
