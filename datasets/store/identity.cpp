#include "datasets/store/identity.h"

#include "base/checksum.h"

namespace duet {

std::string identity_of(const Store& store) {
  return fmt::format("generation {}, {:016x}", store.generation(), checksum(bytes_of(json_text(to_json(store.manifest())))));
}

}  // namespace duet
