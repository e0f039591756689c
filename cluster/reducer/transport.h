#pragma once
#include "base/choice.h"

namespace duet {

/// Number format in which gradients travel between ranks: the parameters' own, or 16 bits.
DUET_CHOICE(Transport, native, bf16, fp16);

}  // namespace duet
