#include "datasets/import/photos/prepared_photo.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/granted_cores.h"
#include "datasets/image/perceptual_hash.h"

namespace duet {

void PhotoPreparation::check() const {
  if (side < 16 || side > 4096) throw UsageError("--side is {}; it must lie between 16 and 4096 pixels.", side);
  if (quality < 1 || quality > 100) throw UsageError("--quality is {}; it must lie between 1 and 100.", quality);
}

PreparedPhoto prepare_photo(const std::filesystem::path& file, const PhotoPreparation& preparation) {
  PreparedPhoto photo;
  try {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) throw DataError("not a regular file");
    const auto bytes = read_file(file, preparation.file_bytes);
    const auto image = fit_longest_side(decode_image(bytes_of(bytes), preparation.limits, file.filename().string()), preparation.side);
    photo.hash = perceptual_hash(image);
    photo.width = image.width;
    photo.height = image.height;
    photo.jpeg = encode_jpeg(image, preparation.quality);
  } catch (const Unavailable&) {
    throw;  // a limit of this machine (open files, memory): the photo is not to blame
  } catch (const Error& fault) {
    photo.fault = fault.what();
  }
  return photo;
}

int import_threads(int wanted) {
  if (wanted < 0 || wanted > 256) throw UsageError("--threads is {}; it must lie between 0 (all cores) and 256.", wanted);
  return wanted > 0 ? wanted : available_cores();
}

}  // namespace duet
