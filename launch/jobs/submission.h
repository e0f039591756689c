#pragma once
#include <filesystem>
#include <string>

#include "launch/jobs/submitted_job.h"

namespace duet {

/// Throws CannotCreate when a process works in the run's folder, or a job of it is in the queue already.
void require_submittable(const std::filesystem::path& run_folder);

/// Lets Slurm check a batch script without queueing it (sbatch --test-only). Returns what sbatch says of it, one line. Throws Unavailable
/// without sbatch or an answer of it, UsageError with its words when it refuses.
std::string test_batch_script(const std::string& script);

/// Where a job of the run writes its output, as sbatch's --output takes it.
std::string job_log_pattern(const std::filesystem::path& run_folder);

/// Keeps the script, whose output goes to job_log_pattern(), as RUN/submit.sbatch, submits it, and leaves RUN/job.json. Throws as
/// test_batch_script(), and CannotCreate when the run's folder cannot be made.
SubmittedJob submit_batch_script(const std::filesystem::path& run_folder, const std::string& kind, const std::string& script);

}  // namespace duet
