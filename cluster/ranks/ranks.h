#pragma once
#include "cluster/communicate/communicator.h"

namespace duet {

/// The communicators of a training, by concern (cluster/ranks/world.h makes them; tests and a single process use make_self_communicator).
/// `gradients` may live on the device; the others move host memory.
struct Ranks {
  Communicator& control;
  Communicator& gradients;
  Communicator& statistics;
  Communicator& data;

  int rank() const { return control.rank(); }
  int size() const { return control.size(); }
};

}  // namespace duet
