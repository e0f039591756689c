#pragma once
#include <cuda_runtime_api.h>

#include "base/error.h"

namespace duet {

/// Throws what a CUDA call reported. `action`: "record an event".
inline void check_cuda(cudaError_t code, const char* action) {
  if (code == cudaSuccess) return;
  if (code == cudaErrorMemoryAllocation)
    throw Unavailable("the GPU's memory is used up (could not {}). Lower the batch, or use more ranks.", action);
  throw InternalError("CUDA could not {}: {} ({}).", action, cudaGetErrorString(code), cudaGetErrorName(code));
}

}  // namespace duet
