#pragma once
#include <string>

#include "datasets/store/store.h"

namespace duet {

/// "generation 2, 06fa…": equal for equal content, wherever the store lies.
std::string identity_of(const Store& store);

}  // namespace duet
