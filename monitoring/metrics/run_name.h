#pragma once
#include <filesystem>
#include <string>

namespace duet {

/// What a run is called in metrics, on boards, in its report and in the queue, by the place of its folder: the part below the last folder
/// called "runs" ("/data/runs/sweep/3": "sweep/3"), else its last two names ("/data/chairs/first": "chairs/first"), so that runs that lie
/// in different folders have different names. `.`, `..` and links are taken as they are written, relative paths from the current folder.
/// Printable, at most 200 bytes; a longer one ends in a digest of the whole.
std::string run_name(const std::filesystem::path& folder);

}  // namespace duet
