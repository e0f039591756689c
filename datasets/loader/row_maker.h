#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "datasets/loader/batch_stream.h"
#include "datasets/loader/photo_sampler.h"
#include "datasets/loader/raster_sampler.h"
#include "datasets/loader/sample_stream.h"

namespace duet {

/// Makes one row of a batch at a time, as BatchOptions describe it. A pure function of (options, sample) but for its buffers.
/// One object a thread.
class RowMaker {
 public:
  /// `options` are borrowed, and read anew for each row.
  explicit RowMaker(const BatchOptions& options) : options_(&options) {}

  /// Fills row `row` of a batch whose members have their sizes. Unreadable records on the way to a usable one are appended to `bad`, in the
  /// order in which they were tried. Throws DataError when none of many records is usable.
  void make(const SampleStream::Sample& sample, std::int64_t row, Batch& batch, std::vector<BadSample>& bad);

  /// The seed of everything random in a stream: equal streams of one run must not draw equal noise.
  static std::uint64_t stream_seed(const BatchOptions& options);

 private:
  /// False where the record is left out: excluded, or its sequence too long. Throws DataError and InputMissing where it cannot be read.
  bool make_record(std::int64_t record, std::int64_t epoch, std::int64_t row, Batch& batch);

  const BatchOptions* options_;
  PhotoSampler photos_;
  RasterSampler rasters_;
};

}  // namespace duet
