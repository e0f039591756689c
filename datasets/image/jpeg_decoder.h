#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "datasets/image/image.h"

namespace duet {

/// Decodes the JPEG photos of a store, one after the other, without taking memory anew for each. One object a thread; movable.
class JpegDecoder {
 public:
  explicit JpegDecoder(const ImageLimits& limits = {});
  ~JpegDecoder();
  JpegDecoder(JpegDecoder&&) noexcept;
  JpegDecoder& operator=(JpegDecoder&&) noexcept;

  /// Decodes into `out` as RGB, reusing its memory.
  /// With sufficient_side > 0 the photo is decoded at 1/2, 1/4 or 1/8 of its size, in the DCT and so at less cost, as long as its shorter
  /// side stays at least sufficient_side. (Other fractions are slower than the full size and not used.) Throws DataError beginning with
  /// `subject`: not a JPEG, too large, or damaged. Then `out` holds nothing of use, and the decoder can go on with another.
  void decode(std::span<const std::byte> jpeg, int sufficient_side, const std::string& subject, Image& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace duet
