#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image/image.h"
#include "datasets/image/jpeg_decoder.h"
#include "datasets/sketch/affine.h"
#include "datasets/store/store.h"

namespace duet {

/// Photo in, network input out: decode, letterbox, move and scale in one go. Keeps its buffers from photo to photo. One object a thread.
class PhotoSampler {
 public:
  /// Fills `out` ([side, side, 3] RGB) with photo `index` of the view. The photo, scaled so that its longer side fills the 256 canvas and
  /// centred on it, is moved by `placement` (in the canvas's units, where the photo's own centre is 128, 128); what it does not cover is
  /// white. Antialiased: shrinking averages (in the JPEG's transform where a power of two fits, else over areas) before it interpolates.
  /// Throws DataError naming store, shard, index and id.
  void load(const StoreView& view, std::int64_t index, const Affine& placement, int side, std::span<std::uint8_t> out);

  /// The same from pixels, RGB.
  void sample(const Image& source, const Affine& placement, int side, std::span<std::uint8_t> out);

 private:
  JpegDecoder decoder_;
  std::vector<std::byte> stored_;
  Image decoded_;
  Image reduced_;
  std::vector<std::uint8_t> fine_;
};

}  // namespace duet
