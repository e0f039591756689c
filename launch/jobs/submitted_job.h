#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace duet {

/// RUN/job.json: what `duet submit` leaves in a run's folder.
struct SubmittedJob {
  std::string id;
  std::string kind;       ///< "train"
  std::string script;     ///< the batch script that was submitted
  std::string log;        ///< where Slurm writes what the job says
  std::string submitted;  ///< as utc_now() writes it
};
void write_submitted_job(const std::filesystem::path& run_folder, const SubmittedJob& job);
/// Nothing when there is none. Throws DataError when the file is damaged.
std::optional<SubmittedJob> read_submitted_job(const std::filesystem::path& run_folder);

}  // namespace duet
