#pragma once

namespace duet {

/// The streams of samples that phases draw from. Numbers are salts of the order of samples and part of noise keys, so part of a run's
/// meaning: never renumber. Streams that share a salt visit the same rows in the same order.
enum class StreamName : int {
  strokes = 1,          ///< generator's first stage: drawings with a photo, or with their own raster as pseudo photo
  generator_pairs = 2,  ///< labelled photos with stroke sequences
  retrieval = 3,        ///< labelled pairs, augmented
  joint_labelled = 4,   ///< the joint stage's labelled pairs, augmented
  joint_plain = 5,      ///< the same rows, flipped only: what teacher and discriminator see
  pool = 6,             ///< photos without sketches, augmented
  pool_plain = 7,       ///< the same rows, flipped only: what generator, teacher and discriminator see
  joint_pairs = 8,      ///< labelled pairs of the generator's joint steps
  joint_pool = 9,       ///< pool photos of the generator's joint steps, and of the discriminator's warm-up
  warmup_pairs = 10,    ///< labelled pairs of the discriminator's warm-up, flipped only
};

}  // namespace duet
