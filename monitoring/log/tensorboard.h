#pragma once
#include <cstdint>
#include <filesystem>

#include "base/json.h"

namespace duet {

/// A file of scalars for TensorBoard: RUN/tensorboard/events.out.tfevents.*. One thread. Never stops a training: what cannot be written is
/// warned about once and dropped.
class TensorBoard {
 public:
  /// Begins a file of its own; nothing is written to those of earlier processes. `first_step`: of all points that follow; TensorBoard drops
  /// what earlier files hold from there on, so that a resumed run shows no step twice.
  TensorBoard(const std::filesystem::path& folder, std::int64_t first_step);

  /// Every number of a line of metrics.jsonl as a point at its "total_step" and "time": {"stage": "retrieval", "loss": {"triplet": 0.5}}
  /// gives "retrieval/loss/triplet". The joint stage's phases are kept apart by their names, since they share some of their terms.
  void write(const Json& line);

 private:
  void append(std::string_view event);

  std::filesystem::path file_;
  bool failed_ = false;
};

}  // namespace duet
