#include "launch/jobs/job_queue.h"

#include <ctime>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "launch/jobs/captured_program.h"

namespace duet {
namespace {

constexpr const char* kFormat = "%i|%T|%N|%L|%S|%r";  // the reason last: it is free text

std::optional<double> local_time(const std::string& text) {
  std::tm time{};
  time.tm_isdst = -1;
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;  // "N/A"
  return static_cast<double>(::mktime(&time));
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

bool QueuedJob::is_pending() const {
  for (const char* waiting : {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}) {
    if (state == waiting) return true;
  }
  return false;
}

std::optional<QueuedJob> parse_queue_line(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; fields.size() < 5 && std::getline(in, field, '|');) fields.push_back(field);
  std::string reason;
  if (fields.size() < 5 || !std::getline(in, reason)) return std::nullopt;
  return QueuedJob{.id = fields[0],
                   .state = fields[1],
                   .reason = reason == "None" ? "" : reason,
                   .nodes = fields[2],
                   .time_left = fields[3],
                   .starts = local_time(fields[4])};
}

QueueAnswer ask_queue(const std::string& job_id) {
  if (!is_program("squeue")) return {.trouble = "there is no squeue on this machine", .job = {}};
  const auto end = run_captured({"squeue", "-h", "-o", kFormat, "-j", job_id}, 10);
  if (end.timed_out) return {.trouble = "squeue did not answer within 10 s", .job = {}};
  // A job that Slurm has forgotten.
  if (end.status != 0 && end.error.find("Invalid job id") != std::string::npos) return {};
  if (end.status != 0) return {.trouble = first_line(end.error), .job = {}};
  if (end.out.empty()) return {};
  auto job = parse_queue_line(first_line(end.out));
  if (!job) return {.trouble = fmt::format("squeue said '{}'", first_line(end.out)), .job = {}};
  return {.trouble = {}, .job = std::move(job)};
}

bool is_known_job(const std::string& job_id) {
  if (!is_program("scontrol")) return true;
  const auto end = run_captured({"scontrol", "--oneliner", "show", "job", job_id}, 10);
  return end.timed_out || end.status == 0 || end.error.find("Invalid job id") == std::string::npos;
}

}  // namespace duet
