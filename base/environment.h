#pragma once
#include <string>

namespace duet {

/// A variable of this process's environment; empty when it is not set.
std::string environment(const char* name);

/// The whole number that it begins with, 0 when it begins with none; `otherwise` when it is not set or empty.
int environment_number(const char* name, int otherwise);

}  // namespace duet
