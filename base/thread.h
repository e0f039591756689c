#pragma once
#include <string>

namespace duet {

/// What top, debuggers and traces call the calling thread; cut to 15 bytes.
void name_this_thread(const std::string& name);
std::string name_of_this_thread();

}  // namespace duet
