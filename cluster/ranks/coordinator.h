#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "cluster/communicate/communicator.h"

namespace duet {

/// What all ranks do next. `steps` may be 0: then only what else is asked for. Order of execution: steps, evaluate, samples, adopt,
/// checkpoint, stop.
struct Directive {
  std::string phase;
  std::string stage;
  std::int64_t steps = 0;
  bool evaluate = false;
  bool checkpoint = false;
  bool samples = false;
  bool stop = false;
  std::int64_t adopt_generation = -1;  ///< of the pool's store; −1: none
  std::string stop_reason;             ///< why, when stop; empty when training is complete

  bool operator==(const Directive&) const = default;
};
Json to_json(const Directive& directive);
Directive directive_from_json(const Json& json);

/// What comes from outside and cannot be computed from configuration and progress. Broadcast with each directive, so that every rank can
/// record the same.
struct ClusterState {
  bool stop_requested = false;  ///< on any rank
  std::string stop_reason;      ///< of the lowest such rank
  double seconds = 0;           ///< since the coordinator was made, on rank 0
  std::int64_t newest_generation = -1;

  bool operator==(const ClusterState&) const = default;
};
Json to_json(const ClusterState& state);
ClusterState cluster_state_from_json(const Json& json);

/// Turns progress and what happened outside into the next directive; the trainer's schedule implements it. Called on rank 0 only.
class DirectiveSource {
 public:
  virtual ~DirectiveSource() = default;
  virtual Directive decide(const ClusterState& state) = 0;
};

/// Why the first of the ranks that are asked to stop was (stop_reason()); empty where none is. Collective.
std::string agreed_stop_reason(Communicator& control);

/// Makes every rank do the same: rank 0 decides, all receive. Main thread only; all ranks call next() at the same points.
class Coordinator {
 public:
  /// `source` and `newest_generation` (asked before each directive; may be empty) are used on rank 0 only and may be null elsewhere.
  Coordinator(Communicator& control, DirectiveSource* source, std::function<std::int64_t()> newest_generation = {});

  /// Collective. An error in rank 0's source is thrown on all ranks, with its status.
  Directive next();
  /// What the last directive was decided on; the same on all ranks.
  const ClusterState& state() const { return state_; }

 private:
  Communicator& control_;
  DirectiveSource* source_;
  std::function<std::int64_t()> newest_generation_;
  Stopwatch clock_;
  ClusterState state_;
};

}  // namespace duet
