#include "base/descriptor.h"

#include <unistd.h>

#include <cerrno>

namespace duet {

Descriptor::~Descriptor() {
  if (valid()) ::close(value_);
}

bool Descriptor::write(std::string_view text) const {
  while (!text.empty()) {
    const auto written = ::write(value_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace duet
