#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "datasets/loader/augmentation.h"
#include "datasets/loader/sample_stream.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/simplify.h"
#include "datasets/store/store.h"

namespace duet {

struct BatchOptions {
  StoreView view;
  std::uint64_t seed = 0;
  std::int64_t stream_salt = 0;   ///< keeps streams of one run apart: labelled photos, pool, strokes
  std::int64_t global_batch = 1;  ///< rows over all ranks; rank r takes rows global_batch·r/ranks … global_batch·(r+1)/ranks − 1
  int rank = 0;
  int ranks = 1;
  int image_side = 256;
  int threads = 1;                  ///< that decode, besides the caller's
  int queue_depth = 3;              ///< batches decoded ahead, at most
  double max_bad_fraction = 0.001;  ///< of the records; more distinct bad ones stop the stream. Above 0, one is always forgiven
  bool by_sketch = false;           ///< records are the sketches, each with its photo; else the photos
  bool photos = true;               ///< what to produce; rasters and sequences need by_sketch
  bool rasters = false;
  bool sequences = false;
  Augmentation augmentation;
  bool ink_dark_on_white = false;
  double simplify_epsilon = 3;
  Chord simplify_chord = Chord::segment;
  int max_steps = 100;  ///< longer sequences (offsets after simplification) are left out of a stream that produces sequences
  std::function<bool(std::int64_t photo)> excluded;  ///< photos of the view that must not be seen; called from the stream's threads
};

/// A rank's rows of one global batch. Row i of every member belongs together.
struct Batch {
  std::int64_t first_position = 0;             ///< of the global batch
  std::vector<std::int64_t> position, epoch;   ///< of the row in the stream; `position` counts from the stream's beginning
  std::vector<std::int64_t> record;            ///< index in the view: of the sketch with by_sketch, else of the photo
  std::vector<std::int64_t> photo;             ///< index in the view, −1: none
  std::vector<std::uint8_t> photos;            ///< [n, side, side, 3] RGB; letterboxed on white
  std::vector<std::uint8_t> rasters;           ///< [n, side, side], polarity applied
  std::vector<std::uint8_t> flipped;           ///< 1: photo, raster and sequence are mirrored
  std::vector<std::vector<Offset>> sequences;  ///< pixels of the 256 canvas, unscaled; augmented by the flip only
  double wait_seconds = 0;                     ///< that next() waited for the decoders

  std::int64_t size() const { return static_cast<std::int64_t>(record.size()); }
};

/// An endless stream of batches, decoded ahead by threads of its own.
///
/// Rows depend on (options, position) alone: not on the number of ranks or threads, nor on the order of calls. All noise is keyed by (seed
/// and salt, purpose, epoch, record). A record that cannot be read is recorded, counted, and replaced by another that (seed, epoch, record)
/// name; excluded and too long ones are replaced silently. One caller at a time.
class BatchStream {
 public:
  /// Throws UsageError naming the option that makes no sense with the store: rows per rank 0, sketches asked of a pool,
  /// a view without records.
  explicit BatchStream(BatchOptions options);
  ~BatchStream();
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  /// The next batch. Throws DataError when too many records are bad or none can be used.
  Batch next();

  /// Continues where `state` was taken. Throws DataError when it was taken on another generation than the stream's view.
  void seek(const StreamState& state);

  /// After the last batch that next() handed out; what was decoded ahead does not count.
  StreamState state() const;

  /// Distinct bad records among the rows handed out since construction that were not yet taken, for the log.
  std::vector<BadSample> take_bad_samples();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace duet
