#pragma once
#include <string>

#include "datasets/import/pickle/content.h"
#include "datasets/import/pickle/pickle.h"

namespace duet {

/// Runs the instructions in content.file on objects of this program's own and leaves the dictionary's arrays in `content`.
/// Throws DataError naming `subject`, the byte, and the instruction, name or limit that it met there.
void run_pickle(PickleContent& content, const std::string& subject, const PickleLimits& limits);

}  // namespace duet
