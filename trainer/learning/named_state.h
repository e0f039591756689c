#pragma once
#include "trainer/tensors/named_tensor.h"

namespace duet {

/// Copies the values of `from` into the tensors of `to` by name, in any order. Throws DataError naming `subject` and what is missing, too
/// much or of another shape, before anything has changed.
void copy_named_state(const std::string& subject, const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to);

}  // namespace duet
