#include "base/thread.h"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "base/error.h"

namespace duet {
namespace {
constexpr std::size_t kSystemLimit = 16;  // with the closing zero
}

void name_this_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.substr(0, kSystemLimit - 1).c_str()); }

std::string name_of_this_thread() {
  char name[kSystemLimit] = {};
  return ::pthread_getname_np(::pthread_self(), name, sizeof name) == 0 ? name : "";
}

std::thread start_thread(const std::string& name, std::function<void()> work) {
  try {
    return std::thread([name, work = std::move(work)] {
      name_this_thread(name);
      work();
    });
  } catch (const std::system_error& error) {
    throw Unavailable("the thread '{}' cannot be started: {}. The limits on processes and memory (ulimit -u, -v) stand against it.", name,
                      error.code().message());
  }
}

}  // namespace duet
