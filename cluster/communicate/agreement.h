#pragma once
#include <functional>

#include "cluster/communicate/communicator.h"

namespace duet {

/// Does `work`, in which no rank waits for another. Where it fails on any rank, this throws on all of them, so that none waits for one that
/// has left: there what it threw, on the others what the first of those ranks says, with its status. Collective.
void on_all_or_none(Communicator& communicator, const std::function<void()>& work);

}  // namespace duet
