#include "datasets/loader/sample_stream.h"

namespace duet {

Json to_json(const StreamState& state) {
  return {{"generation", state.generation}, {"epoch", state.epoch}, {"consumed", state.consumed}, {"position", state.position}};
}

StreamState stream_state_from_json(const Json& json, const std::string& subject) {
  const auto count = [&](const char* key) {
    const auto value = member<std::int64_t>(json, key, subject);
    if (value < 0) throw DataError("{}: '{}' is {}.", subject, key, value);
    return value;
  };
  return {count("generation"), count("epoch"), count("consumed"), count("position")};
}

SampleStream::Sample SampleStream::at(const StreamState& state, std::int64_t ahead) const {
  const auto there = advanced(state, ahead);
  return {there.position, there.epoch, SampleOrder(seed_, there.generation, there.epoch, length_)[there.consumed]};
}

StreamState SampleStream::advanced(const StreamState& state, std::int64_t samples) const {
  const auto taken = state.consumed + samples;
  return {state.generation, state.epoch + taken / length_, taken % length_, state.position + samples};
}

}  // namespace duet
