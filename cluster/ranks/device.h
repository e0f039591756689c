#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "cluster/communicate/communicator.h"
#include "monitoring/trace/trace_mirror.h"

namespace duet {

/// What the program needs of a GPU besides tensors; libduet_cuda.so implements it, so that the program itself runs on machines without
/// CUDA. Main thread only.
class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;

  virtual int device_count() const = 0;
  /// Makes device `local_rank` modulo device_count() the current one of this process and returns its index. Throws Unavailable when there
  /// is none.
  virtual int select(int local_rank) = 0;
  /// "NVIDIA H200, 139 GiB": the selected device.
  virtual std::string description() const = 0;
  /// The same for two ranks only when they share one GPU.
  virtual std::string uuid() const = 0;
  struct Memory {
    std::int64_t free_bytes = 0, total_bytes = 0;
  };
  virtual Memory memory() const = 0;
  /// "CUDA driver 13.0, runtime 13.0, NCCL 2.28.9"
  virtual std::string versions() const = 0;
  /// Returns once everything issued to the device is done. Throws InternalError with CUDA's text when any of it failed.
  virtual void synchronize() = 0;

  /// Spans as NVTX ranges, for NVIDIA's profilers. From all threads; lives as long as this object.
  virtual TraceMirror& profiler_ranges() = 0;

  /// NCCL over the ranks of `control` (host memory), each on its selected device. Collective. Throws UsageError naming the ranks when two
  /// share one GPU: NCCL refuses that; gradients can then go through MPI (cluster.backend = mpi).
  virtual std::unique_ptr<Communicator> make_communicator(Communicator& control, const std::string& name, double timeout_seconds) = 0;
};

/// Where libduet_cuda.so lies. Throws Unavailable when this program was built without the CUDA toolkit.
/// A machine without a GPU can tell, too.
std::filesystem::path cuda_plugin();

/// Loads libduet_cuda.so from beside the program, and with it ATen's CUDA backend. Throws Unavailable saying what is missing: the plugin
/// (built without CUDA toolkit), LibTorch's CUDA libraries, the driver, or a GPU. Call it before the first tensor on a device; the result
/// may be dropped, the library stays.
std::unique_ptr<DeviceBackend> load_cuda_backend();

}  // namespace duet
