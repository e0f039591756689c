#pragma once
#include <cstdint>
#include <functional>

#include "cluster/communicate/communicator.h"
#include "monitoring/trace/trace.h"

namespace duet {

/// How far this rank's clock is from rank 0's. Collective.
///
/// As in a ping-pong, a message cannot arrive before it was sent: in each round all ranks gather, and no rank returns before every rank has
/// called, so this rank's entry lies before rank 0's return and the other way round. The rounds' bounds are intersected, which is never
/// worse than the round with the smallest round trip, and takes as long for a thousand ranks as for two.
ClockReading measure_clock(Communicator& communicator, const std::function<std::int64_t()>& nanoseconds = trace_nanoseconds);

}  // namespace duet
