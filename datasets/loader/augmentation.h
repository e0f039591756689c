#pragma once

namespace duet {

/// How far training images are moved. All zero: not at all.
struct Augmentation {
  bool flip = false;          ///< mirror photo and sketch together, with probability ½
  double rotate_degrees = 0;  ///< angle uniform in ± this
  double scale = 0;           ///< factor uniform in 1 ± this
  double shift = 0;           ///< along each axis, uniform in ± this share of the side
};

}  // namespace duet
