#pragma once
#include <signal.h>

#include "cluster/run/stop_signal.h"

namespace duet {

/// As the signal's handler does.
inline void request_stop(int signal = SIGUSR2) { detail::stop_signal = signal; }
/// So that the next test of this process goes on.
inline void clear_stop_request() { detail::stop_signal = 0; }

}  // namespace duet
