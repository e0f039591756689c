#pragma once
#include <cstdint>

#include "base/json.h"
#include "datasets/loader/sample_order.h"

namespace duet {

/// Where a stream of samples stands: all that a resumed run needs.
struct StreamState {
  std::int64_t generation = 0;  ///< of the store
  std::int64_t epoch = 0;       ///< of the next sample
  std::int64_t consumed = 0;    ///< samples taken from that epoch
  std::int64_t position = 0;    ///< samples taken since the stream began, over all epochs and generations

  bool operator==(const StreamState&) const = default;
};

Json to_json(const StreamState& state);

/// Throws DataError naming `subject`.
StreamState stream_state_from_json(const Json& json, const std::string& subject);

/// Epoch after epoch of `length` records without a short last batch: what lies `ahead` samples after a state. Pure; thread-safe.
class SampleStream {
 public:
  struct Sample {
    std::int64_t position;  ///< since the stream began
    std::int64_t epoch;
    std::int64_t record;
  };

  SampleStream(std::uint64_t seed, std::int64_t length) : seed_(seed), length_(length) {}

  Sample at(const StreamState& state, std::int64_t ahead) const;
  StreamState advanced(const StreamState& state, std::int64_t samples) const;

 private:
  std::uint64_t seed_;
  std::int64_t length_;
};

}  // namespace duet
