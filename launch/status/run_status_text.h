#pragma once
#include <span>
#include <string>

#include "base/json.h"
#include "launch/status/run_status.h"

namespace duet {

/// What `duet status` prints: for programs, several lines about one run, and a line for each of several with a head.
Json to_json(const RunStatus& status);
std::string describe(const RunStatus& status);
std::string table_of(std::span<const RunStatus> runs);

}  // namespace duet
