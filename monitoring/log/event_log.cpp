#include "monitoring/log/event_log.h"

#include <fstream>
#include <string>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

namespace duet {
namespace {

// False for a line that is no object: unfinished (the end of the file came before the line's), or damaged.
bool parse_line(const std::string& line, bool is_whole, Json& event) {
  if (!is_whole) return false;
  event = parse_json_line(line);
  return event.is_object();
}

// Longer lines are not of our making; they count as damaged.
constexpr std::size_t kLongestLine = 16 << 20;

// `from`: where to begin; the line that this place is inside of is left out.
template <typename Use>
void for_each_line(const std::filesystem::path& file, Use use, std::int64_t from = 0) {
  std::error_code absent;
  if (!std::filesystem::is_regular_file(file, absent)) return;
  std::ifstream in(file, std::ios::binary);
  if (from > 0) {
    in.seekg(from - 1);
    for (int byte; (byte = in.get()) != EOF && byte != '\n';) continue;
  }
  std::string line;
  bool too_long = false;
  for (int byte; (byte = in.get()) != EOF;) {
    if (byte == '\n') {
      use(line, !too_long);
      line.clear();
      too_long = false;
    } else if (line.size() < kLongestLine) {
      line.push_back(static_cast<char>(byte));
    } else {
      too_long = true;
    }
  }
  if (!line.empty()) use(line, false);
}

// Copies the lines that stay beside the file and puts the copy in its place.
void rewrite(const std::filesystem::path& file, const std::function<bool(const Json&)>& keep) {
  try {
    AtomicFile copy(file);
    for_each_line(file, [&](const std::string& line, bool is_whole) {
      Json event;
      if (parse_line(line, is_whole, event) && (!keep || keep(event))) copy.write(line + '\n');
    });
    copy.commit();
  } catch (const CannotWrite& error) {
    throw CannotWrite("{} It cannot be cut to the step that the run resumes from.", error.what());
  }
}

}  // namespace

EventLog::EventLog(std::filesystem::path file, const std::function<bool(const Json&)>& keep) : file_(std::move(file)) {
  std::error_code failed;
  if (file_.has_parent_path()) std::filesystem::create_directories(file_.parent_path(), failed);
  refuse_link(file_);
  if (!std::ofstream(file_, std::ios::binary | std::ios::app)) throw CannotCreate("{}: cannot be opened for appending.", file_.string());
  bool changes = std::filesystem::hard_link_count(file_, failed) > 1;  // of a copy made by links, which must stay as it is
  for_each_line(file_, [&](const std::string& line, bool is_whole) {
    Json event;
    changes = changes || !parse_line(line, is_whole, event) || (keep && !keep(event));
  });
  if (changes) rewrite(file_, keep);
}

void EventLog::write(Json event) {
  if (!event.contains("time")) event["time"] = unix_seconds();
  const std::lock_guard lock(mutex_);
  try {
    append_line(file_, json_text(event));
    failed_ = false;
  } catch (const Error& error) {
    if (!failed_) warn("{} Lines are left out of it until it can be written again.", error.what());
    failed_ = true;
  }
}

std::int64_t for_each_event(const std::filesystem::path& file, const std::function<void(const Json&)>& use) {
  std::int64_t left_out = 0;
  for_each_line(file, [&](const std::string& line, bool is_whole) {
    Json event;
    if (parse_line(line, is_whole, event)) {
      use(event);
    } else {
      ++left_out;
    }
  });
  return left_out;
}

std::vector<Json> read_last_events(const std::filesystem::path& file, std::int64_t bytes) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(file, absent);
  std::vector<Json> events;
  if (absent) return events;
  for_each_line(
      file,
      [&](const std::string& line, bool is_whole) {
        Json event;
        if (parse_line(line, is_whole, event)) events.push_back(std::move(event));
      },
      static_cast<std::int64_t>(size) - bytes);
  return events;
}

}  // namespace duet
