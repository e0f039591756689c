#pragma once
#include <functional>
#include <string>
#include <thread>

namespace duet {

/// What top, debuggers and traces call the calling thread; cut to 15 bytes.
void name_this_thread(const std::string& name);
std::string name_of_this_thread();

/// A thread of that name which does `work`. Throws Unavailable where a limit on processes or memory grants none.
std::thread start_thread(const std::string& name, std::function<void()> work);

}  // namespace duet
