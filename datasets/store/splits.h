#pragma once
#include <string>
#include <vector>

namespace duet {

/// The validation rule where a source gives no validation split: of the training photos in the order of sorted ids, positions 0, 3, 6, …
/// are 'validation', the others 'train'; sketches follow their photo. Takes the ids in any order and returns the split of each in that same
/// order. Throws DataError on an id that comes twice.
std::vector<std::string> assign_validation(const std::vector<std::string>& ids);

}  // namespace duet
