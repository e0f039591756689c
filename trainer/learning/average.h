#pragma once
#include "trainer/models/module.h"

namespace duet {

/// Moving average of a network's parameters and buffers (running statistics included): average ← d·average + (1 − d)·network after each
/// step, d = min(decay, (1 + n) / (10 + n)) at the n-th update, so that the first steps are forgotten quickly. One thread.
class WeightAverage {
 public:
  /// Starts as a copy of the network's present values. 0 < decay < 1.
  WeightAverage(const Module& module, double decay);

  /// After each optimiser step, with the same network.
  void update(const Module& module);

  /// Writes the average into a network of the same shape (a teacher, a copy for evaluation).
  void copy_to(Module& module) const;

  /// Exchanges the values of average and network: swap, evaluate, swap back. No memory is allocated for a second network.
  void swap(Module& module);

  std::int64_t updates() const { return updates_; }

  /// NAME of each tensor of the network and `average.updates` (int64 scalar).
  NamedTensors state() const;
  /// Throws DataError naming what is missing, too much or of another shape, before anything has changed.
  void load_state(const NamedTensors& state);

 private:
  double decay_;
  std::int64_t updates_ = 0;
  NamedTensors average_;
};

}  // namespace duet
