#pragma once
#include <string>

#include "base/torch.h"

namespace duet {

/// A tensor under the name that files, reducers and messages know it by. Shares the tensor's storage; copying is cheap.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace duet
