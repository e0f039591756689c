#pragma once
#include <set>

#include "tests/trainer/tiny_config.h"
#include "trainer/data/training_data.h"
#include "trainer/loop/run_state.h"

namespace duet {

using TinyData = TinyDataIn<FilledFolder>;

/// A run of one process with tiny networks, whose phases a test steps by hand.
class TinyState {
 public:
  explicit TinyState(const std::function<void(TrainingConfig&)>& configure = {}, at::ScalarType dtype = at::kFloat)
      : config(configured(configure)), state(config, alone_.ranks(), Device{.device = at::kCPU, .dtype = dtype}, data()) {}

  /// Steps `first` … `first + count − 1` of a phase; what the last one reported.
  StepFigures steps(Stage stage, PhaseName phase, std::int64_t count, std::int64_t first = 0) {
    StepReport report;
    for (auto step = first; step < first + count; ++step) report = state.phase(stage, phase).step(step);
    return report.over_ranks(report.shares());
  }
  StepFigures joint_retrieval(std::int64_t count, std::int64_t first = 0) {
    return steps(Stage::joint, PhaseName::joint_retrieval, count, first);
  }
  StepFigures joint_generator(std::int64_t count, std::int64_t first = 0) {
    return steps(Stage::joint, PhaseName::joint_generator, count, first);
  }

  Files files() const { return copy_of(state.content().files); }
  Ranks ranks() const { return alone_.ranks(); }
  /// Samples that a stream has handed out; none: nobody asked it.
  std::optional<std::int64_t> position(StreamName name) const {
    const auto places = state.content().progress["streams"];
    const auto key = fmt::format("{}", static_cast<int>(name));
    if (!places.contains(key)) return std::nullopt;
    return places[key]["position"].get<std::int64_t>();
  }

 private:
  static TrainingConfig configured(const std::function<void(TrainingConfig&)>& configure) {
    auto made = tiny_config(TinyData::path());
    if (configure) configure(made);
    return made;
  }
  TrainingData data() const { return open_data(config).training; }

  SelfRanks alone_;

 public:
  const TrainingConfig config;
  RunState state;
};

inline std::set<Quantity> quantities_of(const StepFigures& figures) {
  std::set<Quantity> quantities;
  for (const auto& [quantity, value] : figures) quantities.insert(quantity);
  return quantities;
}

/// Names of a file's tensors that are not the same bits in both.
inline std::set<std::string> changed(const Files& before, const Files& after, const std::string& file) {
  std::set<std::string> names;
  const auto &ours = before.at(file), &theirs = after.at(file);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!at::equal(ours[i].tensor, theirs[i].tensor)) names.insert(ours[i].name);
  }
  return names;
}

/// Moves every parameter a little, so that whoever uses the network computes something else.
inline void disturb(Module& network) {
  const at::NoGradGuard no_gradients;
  for (const auto& [name, tensor] : network.parameters()) tensor.mul_(1.1).add_(0.01);
}

}  // namespace duet
