#include "launch/jobs/submitted_job.h"

#include "base/file.h"
#include "base/json.h"
#include "cluster/run/run_folder.h"

namespace duet {

void write_submitted_job(const std::filesystem::path& run_folder, const SubmittedJob& job) {
  const Json json{{"id", job.id}, {"kind", job.kind}, {"script", job.script}, {"log", job.log}, {"submitted", job.submitted}};
  write_file_atomically(RunFolder(run_folder).job(), json_text(json, 2) + "\n");
}

std::optional<SubmittedJob> read_submitted_job(const std::filesystem::path& run_folder) {
  const auto file = RunFolder(run_folder).job();
  std::error_code absent;
  if (!std::filesystem::exists(file, absent)) return std::nullopt;
  const auto json = read_json(file);
  const auto subject = file.string();
  return SubmittedJob{.id = member<std::string>(json, "id", subject),
                      .kind = member<std::string>(json, "kind", subject),
                      .script = member<std::string>(json, "script", subject),
                      .log = member<std::string>(json, "log", subject),
                      .submitted = member<std::string>(json, "submitted", subject)};
}

}  // namespace duet
