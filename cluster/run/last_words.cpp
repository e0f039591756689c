#include "cluster/run/last_words.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/started.h"

namespace duet {
namespace {

constexpr int kPathLimit = 4096;
// Prepared in advance: a signal handler may not allocate.
char final_path[kPathLimit];
char handler_path[kPathLimit];
char handler_text[640];  // up to the time, which the handler adds
std::atomic<bool> begun{false};
std::atomic<bool> written{false};
std::atomic<bool> on_disk{false};
std::filesystem::path joined_path;
int own_rank = 0;
double own_start = 0;

// The folder may belong to another job, whose supervisor must not take this process for one of its ranks.
std::string own_job() { return own_supervisor().substr(0, 32); }

}  // namespace

void begin_last_words(const std::filesystem::path& run_folder, int rank) {
  std::error_code error;
  std::filesystem::create_directories(RunFolder(run_folder).log(), error);  // a failure shows in the first file that the run itself writes
  const auto file = std::filesystem::absolute(RunFolder(run_folder).last_words(rank)).string();
  if (file.size() + 16 > kPathLimit) throw UsageError("{}: the path of the run's folder is too long.", run_folder.string());
  begun = false;
  own_start = unix_seconds();
  std::snprintf(final_path, sizeof final_path, "%s", file.c_str());
  std::snprintf(handler_path, sizeof handler_path, "%s.part", file.c_str());
  std::snprintf(
      handler_text, sizeof handler_text,
      "{\"rank\": %d, \"status\": %d, \"message\": \"left because another rank had ended\", \"secondary\": true, \"job\": %s, \"started\": "
      "%.3f, \"time\": ",
      rank, static_cast<int>(ExitStatus::rank_lost), Json(own_job()).dump(-1, ' ', true, Json::error_handler_t::replace).c_str(),
      own_start);
  joined_path = std::filesystem::absolute(RunFolder(run_folder).ranks_joined());
  own_rank = rank;
  begun = true;
}

bool write_last_words(ExitStatus status, const std::string& message) {
  const auto will_be_said = [] { return on_disk && !own_job().empty(); };
  if (!begun || written.exchange(true)) return will_be_said();
  const Json json = {{"rank", own_rank},      {"status", static_cast<int>(status)},
                     {"message", message},    {"secondary", false},
                     {"job", own_job()},      {"started", own_start},
                     {"time", unix_seconds()}};
  try {
    write_file_atomically(final_path, json_text(json, 2) + "\n");
    on_disk = true;
  } catch (const Error&) {
    // The caller reports the error itself on standard error.
  }
  return will_be_said();
}

void withdraw_last_words() {
  if (own_job().empty()) begun = false;
}

void note_joined_ranks() {
  if (!begun || own_job().empty()) return;
  try {
    write_file_atomically(joined_path, own_job() + "\n");
  } catch (const Error&) {
    // The disk is full, which the run's own files will say.
  }
}

bool ranks_had_joined(const std::filesystem::path& run_folder, const std::string& job) {
  try {
    return read_file(RunFolder(run_folder).ranks_joined()) == job + "\n";
  } catch (const Error&) {
    return false;
  }
}

void leave_because_of_peer() {
  if (begun && !written.exchange(true)) {
    const int file = ::open(handler_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kFileMode);
    if (file >= 0) {
      timespec now;
      ::clock_gettime(CLOCK_REALTIME, &now);
      char digits[24];
      int at = sizeof digits;
      digits[--at] = '\n';
      digits[--at] = '}';
      for (auto seconds = static_cast<std::uint64_t>(now.tv_sec); seconds > 0; seconds /= 10)
        digits[--at] = static_cast<char>('0' + seconds % 10);
      const bool complete =
          ::write(file, handler_text, std::strlen(handler_text)) >= 0 && ::write(file, digits + at, sizeof digits - at) >= 0;
      ::close(file);
      if (complete) ::rename(handler_path, final_path);
    }
  }
  ::_exit(static_cast<int>(ExitStatus::rank_lost));
}

std::optional<LastWords> read_last_words(const std::filesystem::path& run_folder, int rank) {
  const auto file = RunFolder(run_folder).last_words(rank);
  try {
    const auto json = read_json(file);
    const auto subject = file.string();
    return LastWords{.rank = member<int>(json, "rank", subject),
                     .status = static_cast<ExitStatus>(member<int>(json, "status", subject)),
                     .message = member<std::string>(json, "message", subject),
                     .started = member<double>(json, "started", subject),
                     .time = member<double>(json, "time", subject),
                     .secondary = member<bool>(json, "secondary", subject),
                     .job = member<std::string>(json, "job", subject)};
  } catch (const Error&) {
    return std::nullopt;
  }
}

void clear_last_words(const std::filesystem::path& run_folder) {
  std::error_code error;
  const RunFolder run(run_folder);
  std::filesystem::remove(run.ranks_joined(), error);
  for (const auto& file : run.all_last_words()) std::filesystem::remove(file, error);
}

}  // namespace duet
