#include "launch/jobs/submission.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/time.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/run_lock.h"
#include "launch/cli/output_file.h"
#include "launch/jobs/captured_program.h"
#include "launch/jobs/job_queue.h"

namespace duet {

namespace fs = std::filesystem;

namespace {

constexpr double kPatience = 60;  // a busy controller answers late

// What sbatch says, without its name in front and its line breaks.
std::string words_of(const CapturedEnd& end) {
  auto text = end.error + end.out;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  for (std::size_t at = 0; (at = text.find("sbatch: ", at)) != std::string::npos;) text.erase(at, 8);
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "; ");
  return text;
}

CapturedEnd sbatch(const std::vector<std::string>& arguments) {
  if (!is_program("sbatch")) {
    throw Unavailable("there is no sbatch on this machine. Submit from a login node of the cluster; --print prints the script for it.");
  }
  std::vector<std::string> command = {"sbatch"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto end = run_captured(command, kPatience);
  if (end.timed_out)
    throw Unavailable("sbatch did not answer within {}. Is the cluster's controller up? `sinfo` shows it.", human_duration(kPatience));
  const auto words = words_of(end);
  if (end.status != 0 && words.find("configuration source") != std::string::npos)
    throw Unavailable("sbatch finds no cluster: {}. Submit from a login node, or set SLURM_CONF.", words);
  if (end.status != 0 && words.find("contact slurm controller") != std::string::npos) {
    throw Unavailable("sbatch: {}. Is the cluster's controller up? `sinfo` shows it.", words);
  }
  if (end.status != 0) throw UsageError("sbatch refuses the job: {}", words);
  return end;
}

}  // namespace

std::string job_log_pattern(const fs::path& run_folder) {
  const auto log = RunFolder(run_folder).slurm_log("%j");
  auto folder = log.parent_path().string();
  for (std::size_t at = 0; (at = folder.find('%', at)) != std::string::npos; at += 2) folder.insert(at, 1, '%');
  return folder + "/" + log.filename().string();
}

void require_submittable(const std::filesystem::path& run_folder) {
  RunLock::require_free(run_folder);
  const auto former = read_submitted_job(run_folder);
  if (!former) return;
  const auto answer = ask_queue(former->id);
  // Another job of this run may be waiting unseen; without Slurm nothing is submitted anyway.
  if (!answer.trouble.empty() && is_program("sbatch"))
    throw Unavailable("{}: cannot tell whether job {} of this run is still in the queue: {}. Try again.", run_folder.string(), former->id,
                      answer.trouble);
  if (!answer.job) return;
  throw CannotCreate("{}: job {} of this run is in the queue already ({}). Wait for it, `scancel {}`, or choose another run.folder.",
                     run_folder.string(), answer.job->id, answer.job->state, former->id);
}

std::string test_batch_script(const std::string& script) {
  const TemporaryFolder folder;
  const auto file = RunFolder(folder.path()).batch_script();
  write_file_atomically(file, script);
  auto words = words_of(sbatch({"--test-only", file.string()}));
  // "Job 12 to start at …": a number that no job will have.
  if (const auto at = words.find(" to start"); words.starts_with("Job ") && at != std::string::npos) words.replace(0, at, "expected");
  return words;
}

SubmittedJob submit_batch_script(const std::filesystem::path& run_folder, const std::string& kind, const std::string& script) {
  const RunFolder run(run_folder);
  make_folder(run.log());
  const auto file = run.batch_script();
  refuse_to_overwrite(file, {}, script.substr(0, script.find('\n', script.find('\n') + 1)));
  write_file_atomically(file, script);
  const auto end = sbatch({"--parsable", file.string()});
  // "12" or "12;cluster"
  const auto id = end.out.substr(0, end.out.find_first_of(";\n"));
  if (id.empty() || !std::all_of(id.begin(), id.end(), [](unsigned char digit) { return std::isdigit(digit) != 0; })) {
    throw Unavailable("sbatch took the job, but said '{}' instead of its number; `squeue --me` shows it.", words_of(end));
  }
  const SubmittedJob job{.id = id, .kind = kind, .script = file.string(), .log = run.slurm_log(id).string(), .submitted = utc_now()};
  write_submitted_job(run_folder, job);
  return job;
}

}  // namespace duet
