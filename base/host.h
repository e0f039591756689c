#pragma once
#include <string>

namespace duet {

/// This host's name, "localhost" when it has none.
std::string host_name();

}  // namespace duet
