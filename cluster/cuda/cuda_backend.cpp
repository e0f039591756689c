#include <cuda_runtime_api.h>
#include <nccl.h>
#include <nvtx3/nvToolsExt.h>

#include <fmt/format.h>

#include "cluster/cuda/check.h"
#include "cluster/cuda/nccl_communicator.h"
#include "cluster/ranks/device.h"

namespace duet {
namespace {

/// Costs nothing to speak of while no profiler is attached.
class NvtxRanges : public TraceMirror {
 public:
  void begin_range(const char* name) override { nvtxRangePushA(name); }
  void end_range() override { nvtxRangePop(); }
};

class CudaBackend : public DeviceBackend {
 public:
  CudaBackend() {
    if (const auto code = cudaGetDeviceCount(&count_); code != cudaSuccess) {
      throw Unavailable("no GPU can be used: {}. Use --run.device=cpu, or look at nvidia-smi.", cudaGetErrorString(code));
    }
    if (count_ == 0) throw Unavailable("this machine has no GPU, or CUDA_VISIBLE_DEVICES hides it. Use --run.device=cpu.");
  }

  int device_count() const override { return count_; }

  int select(int local_rank) override {
    device_ = local_rank % count_;
    check_cuda(cudaSetDevice(device_), "select a device");
    check_cuda(cudaFree(nullptr), "start on the device");  // errors of a broken device show here, not in the first tensor
    return device_;
  }

  std::string description() const override {
    return fmt::format("{}, {:.0f} GiB", properties().name, static_cast<double>(properties().totalGlobalMem) / (1 << 30));
  }

  std::string uuid() const override {
    std::string text;
    for (const char byte : properties().uuid.bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
  }

  Memory memory() const override {
    std::size_t free_bytes = 0, total_bytes = 0;
    check_cuda(cudaMemGetInfo(&free_bytes, &total_bytes), "ask for the free memory");
    return {.free_bytes = static_cast<std::int64_t>(free_bytes), .total_bytes = static_cast<std::int64_t>(total_bytes)};
  }

  std::string versions() const override {
    int driver = 0, runtime = 0, nccl = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    ncclGetVersion(&nccl);
    return fmt::format("CUDA driver {}.{}, runtime {}.{}, NCCL {}.{}.{}", driver / 1000, driver % 1000 / 10, runtime / 1000,
                       runtime % 1000 / 10, nccl / 10000, nccl % 10000 / 100, nccl % 100);
  }

  void synchronize() override { check_cuda(cudaDeviceSynchronize(), "finish its work"); }

  TraceMirror& profiler_ranges() override { return ranges_; }

  std::unique_ptr<Communicator> make_communicator(Communicator& control, const std::string& name, double timeout_seconds) override {
    const auto uuids = control.all_gather_strings(uuid());
    for (std::size_t a = 0; a < uuids.size(); ++a) {
      for (std::size_t b = a + 1; b < uuids.size(); ++b) {
        if (uuids[a] != uuids[b]) continue;
        throw UsageError(
            "ranks {} and {} share one GPU ({}), which NCCL does not allow. Use cluster.backend = mpi, or as many ranks as GPUs.", a, b,
            description());
      }
    }
    return std::make_unique<NcclCommunicator>(control, name, device_, timeout_seconds);
  }

 private:
  cudaDeviceProp properties() const {
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, device_), "describe the device");
    return properties;
  }

  NvtxRanges ranges_;
  int count_ = 0;
  int device_ = 0;
};

}  // namespace
}  // namespace duet

/// The plugin's one entry; the caller owns the result. Throws duet::Unavailable without a usable GPU.
extern "C" duet::DeviceBackend* duet_cuda_backend() { return new duet::CudaBackend; }
