#include "base/thread.h"

#include <pthread.h>

namespace duet {
namespace {
constexpr std::size_t kSystemLimit = 16;  // with the closing zero
}

void name_this_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.substr(0, kSystemLimit - 1).c_str()); }

std::string name_of_this_thread() {
  char name[kSystemLimit] = {};
  return ::pthread_getname_np(::pthread_self(), name, sizeof name) == 0 ? name : "";
}

}  // namespace duet
