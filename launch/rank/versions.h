#pragma once
#include "base/json.h"

namespace duet {

/// Name and version of this program and of everything linked into it, as text: what `duet version` prints and RUN/environment.json keeps.
/// load_cuda: loads the CUDA plugin and asks it too; "CUDA plugin" then holds driver, runtime and NCCL, or "none: " and why it cannot be
/// loaded. Where no GPU is wanted that is a waste of memory.
Json versions(bool load_cuda = false);

}  // namespace duet
