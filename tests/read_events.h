#pragma once
#include <filesystem>
#include <vector>

#include "monitoring/log/event_log.h"

namespace duet {

/// All of a small file of events at once.
inline std::vector<Json> read_events(const std::filesystem::path& file) {
  std::vector<Json> events;
  for_each_event(file, [&](const Json& event) { events.push_back(event); });
  return events;
}

}  // namespace duet
