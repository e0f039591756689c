#pragma once
#include <memory>
#include <optional>

#include "cluster/ranks/ranks.h"
#include "trainer/config.h"
#include "trainer/learning/average.h"
#include "trainer/models/discriminator.h"
#include "trainer/models/generator.h"
#include "trainer/models/retrieval_network.h"
#include "trainer/networks/feature_cache.h"

namespace duet {

/// Where and in which number format a run computes.
struct Device {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool autocast_bf16 = false;  ///< matrix products and convolutions in bfloat16; GPUs only
};

/// While it lives, forward passes run under autocast to bfloat16, if the device asks for it.
class Autocast {
 public:
  explicit Autocast(const Device& device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool on_, before_;
};

/// The networks of a run (docs/method.md §1.1): F, its average and its frozen teacher, G, D. Those a configuration has no use for are null.
struct Networks {
  /// Built, with the weights and initial networks that the configuration names; equal on all ranks. Throws as load_weights.
  Networks(const TrainingConfig& config, Communicator* statistics, const Device& device);

  /// Where the joint stage begins: F becomes its average, where there is one, and goes on from there; a copy is frozen as teacher
  /// (docs/method.md §6), if anything is to be distilled or a generator to be judged.
  void begin_joint();
  /// Makes the teacher's network, its weights still to be filled (from a checkpoint).
  void make_teacher();

  std::unique_ptr<RetrievalNetwork> retrieval;
  std::optional<WeightAverage> average;
  std::unique_ptr<RetrievalNetwork> teacher;  ///< null before begin_joint(), or without use
  std::unique_ptr<Generator> generator;
  std::unique_ptr<Discriminator> discriminator;

 private:
  const TrainingConfig config_;
  NetworkContext context_;
};

}  // namespace duet
