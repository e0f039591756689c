#include "base/environment.h"

#include <cstdlib>

namespace duet {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int environment_number(const char* name, int otherwise) {
  const auto text = environment(name);
  return text.empty() ? otherwise : std::atoi(text.c_str());
}

}  // namespace duet
