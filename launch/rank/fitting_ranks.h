#pragma once
#include <memory>
#include <string>

#include "cluster/ranks/device.h"
#include "cluster/ranks/world.h"
#include "launch/options/options.h"

namespace duet {

/// The GPU of this rank, or none.
struct SelectedDevice {
  std::unique_ptr<DeviceBackend> backend;  ///< nullptr: the CPU computes
  int index = 0;
  std::string name = "cpu";
};

/// Selects each rank's device and sees that the ranks are one run: that Slurm's tasks are MPI's ranks, that each has a GPU of its own where
/// it needs one, that all run the same program with the same configuration on the same stores. Collective; the first thing that ranks do
/// together. Throws what require_fitting_ranks() (cluster/ranks/rank_facts.h) throws.
SelectedDevice select_device_of_fitting_ranks(const ResolvedConfig& config, World& world);

}  // namespace duet
