#pragma once
#include <filesystem>
#include <span>
#include <string_view>

namespace duet {

/// To be asked of every file that a command makes for a person, before it writes anything. Throws CannotCreate naming both files when
/// `output` is one of `inputs`, whatever links lead there, and when something else is there than what the command wrote itself:
/// `beginning` is what all its files begin with, or the whole of what it is about to write. A link is never its own.
void refuse_to_overwrite(const std::filesystem::path& output, std::span<const std::filesystem::path> inputs, std::string_view beginning);

/// To be asked before the first file of a run is written into its folder. Throws CannotCreate when the folder holds no run yet, but a file
/// of a name that a run gives its own (somebody's config.cfg); and when a folder or a log in it is a link: what was written there would
/// fall elsewhere. The folder itself may be one.
void refuse_foreign_run_folder(const std::filesystem::path& run_folder);

}  // namespace duet
