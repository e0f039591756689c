#include "base/folder.h"

#include <system_error>

#include "base/error.h"

namespace duet {

void make_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw CannotCreate("{}: cannot be made: {}.", folder.string(), failed.message());
}

}  // namespace duet
