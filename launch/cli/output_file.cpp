#include "launch/cli/output_file.h"

#include <fstream>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace duet {

namespace fs = std::filesystem;

namespace {

bool begins_with(const fs::path& file, std::string_view beginning) {
  std::ifstream in(file, std::ios::binary);
  std::string head(beginning.size(), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  return in.gcount() == static_cast<std::streamsize>(head.size()) && head == beginning;
}

}  // namespace

void refuse_to_overwrite(const fs::path& output, std::span<const fs::path> inputs, std::string_view beginning) {
  std::error_code failed;
  const auto there = fs::symlink_status(output, failed);
  if (!fs::exists(there)) return;
  for (const auto& input : inputs) {
    if (fs::equivalent(output, input, failed))
      throw CannotCreate("{}: is the same file as {}, which is read; it would be replaced. Choose another place with --out.",
                         output.string(), input.string());
  }
  if (fs::is_symlink(there))
    throw CannotCreate("{}: is a link already, to {}. Remove it, or choose another place with --out.", output.string(),
                       fs::read_symlink(output, failed).string());
  if (!fs::is_regular_file(there)) throw CannotCreate("{}: is no file. Choose another place with --out.", output.string());
  if (!begins_with(output, beginning))
    throw CannotCreate("{}: exists already, and this command has not made it. Remove it, or choose another place with --out.",
                       output.string());
}

void refuse_foreign_run_folder(const fs::path& run_folder) {
  for (const char* name : {"log", "checkpoints", "samples", "tensorboard", "metrics.jsonl", "run.lock"}) refuse_link(run_folder / name);
  std::error_code absent;
  for (const char* name : {"owner.json", "run.lock", "job.json", "checkpoints/latest"}) {
    if (fs::exists(run_folder / name, absent)) return;
  }
  for (const char* name : {"config.cfg", "environment.json", "metrics.jsonl", "results.json", "report.html"}) {
    if (fs::exists(fs::symlink_status(run_folder / name, absent)))
      throw CannotCreate("{}: holds a file {} that no training has written there, and would replace it. Choose another run.folder.",
                         run_folder.string(), name);
  }
}

}  // namespace duet
