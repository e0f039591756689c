#pragma once
#include <filesystem>

namespace duet {

/// Makes a folder and those above it, where they are not there. Throws CannotCreate.
void make_folder(const std::filesystem::path& folder);

}  // namespace duet
