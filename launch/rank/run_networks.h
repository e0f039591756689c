#pragma once
#include <memory>
#include <string>

#include "launch/options/options.h"
#include "trainer/evaluation/trained_networks.h"

namespace duet {

/// The options --run, --checkpoint and --json, shared by the commands that use a trained run.
void add_run_options(CommandLine& line);
/// --weights, for those of them that embed.
void add_weights_option(CommandLine& line);

/// A trained run as those options name it: its configuration, its newest checkpoint that verifies (or the one named), its networks.
class OpenedRun {
 public:
  explicit OpenedRun(const ParsedOptions& options, const Ranks& ranks);

  const TrainingConfig& config() const { return config_; }
  const Checkpoint& checkpoint() const { return *checkpoint_; }
  /// last, average or best: which of the retrieval network's were taken.
  const std::string& weights() const { return weights_; }
  TrainedNetworks& networks() { return *networks_; }

 private:
  std::optional<Checkpoint> checkpoint_;
  TrainingConfig config_;
  std::string weights_;
  std::unique_ptr<TrainedNetworks> networks_;
};

}  // namespace duet
