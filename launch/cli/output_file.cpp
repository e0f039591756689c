#include "launch/cli/output_file.h"

#include <fstream>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "cluster/run/run_folder.h"

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
  const RunFolder run(run_folder);
  for (const auto& appended : {run.log(), run.checkpoints().path(), run.samples(), run.tensorboard(), run.metrics(), run.lock()})
    refuse_link(appended);
  std::error_code absent;
  for (const auto& sign : {run.owner(), run.lock(), run.job(), run.checkpoints().latest()}) {
    if (fs::exists(sign, absent)) return;
  }
  for (const auto& replaced : {run.config(), run.environment(), run.metrics(), run.results(), run.report()}) {
    if (fs::exists(fs::symlink_status(replaced, absent)))
      throw CannotCreate("{}: holds a file {} that no training has written there, and would replace it. Choose another run.folder.",
                         run_folder.string(), replaced.filename().string());
  }
}

}  // namespace duet
