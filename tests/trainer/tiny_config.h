#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "cluster/ranks/ranks.h"
#include "datasets/synthetic/write.h"
#include "trainer/config.h"
#include "trainer/tensors/named_tensors.h"

// What tests of the phases and of the trainer share: a handful of synthetic photos and networks that a step takes milliseconds for.
namespace duet {

/// Writes pairs.store, pool.store and strokes.store into `folder`.
inline void write_tiny_data(const std::filesystem::path& folder) {
  write_synthetic(
      {.out = folder, .seed = 11, .pairs = 30, .test = 6, .sketches_per_photo = 2, .pool = 27, .strokes = 25, .side = 48, .threads = 1});
}

/// A temporary folder of one process, made and filled at once.
class FilledFolder : public TemporaryFolder {
 public:
  template <typename Fill>
  explicit FilledFolder(const Fill& fill) {
    fill(path());
  }
};

/// The stores that all cases of a program read, in a folder of this kind.
template <typename Folder>
class TinyDataIn : public testing::Environment {
 public:
  void SetUp() override { folder_ = std::make_unique<Folder>(write_tiny_data); }
  void TearDown() override { folder_.reset(); }
  static const std::filesystem::path& path() { return folder_->path(); }

 private:
  inline static std::unique_ptr<Folder> folder_;
};

/// Every network as small as it can be, every term of every loss on, augmentation on, batches that four ranks can share.
inline TrainingConfig tiny_config(const std::filesystem::path& data) {
  TrainingConfig config;
  config.run.seed = 5;
  config.run.evaluate_every = 0;
  config.run.samples_every = 0;
  config.data.labelled = data / "pairs.store";
  config.data.pool = data / "pool.store";
  config.data.strokes = data / "strokes.store";
  config.data.image_side = 32;
  config.data.queue_depth = 2;
  config.data.rotate_degrees = 8;
  config.data.scale = 0.1;
  config.data.shift = 0.05;

  config.retrieval.backbone = "tiny";
  config.retrieval.head = 8;
  config.retrieval.batch = 8;
  config.retrieval.average_decay = 0.9;
  config.retrieval.learning_rate = 1e-3;

  config.generator.backbone = "tiny";
  config.generator.train_backbone = false;
  config.generator.latent = 8;
  config.generator.hidden = 16;
  config.generator.attention = 8;
  config.generator.mixtures = 3;
  config.generator.max_steps = 40;
  config.generator.batch = 8;
  config.generator.learning_rate = 1e-3;

  config.discriminator.width = 4;
  config.discriminator.layers = 2;

  config.joint.retrieval_steps = 2;
  config.joint.generator_steps = 2;
  config.joint.labelled_batch = 8;
  config.joint.pool_batch = 8;
  config.joint.generator_batch = 8;
  config.joint.learning_rate = 1e-3;
  config.joint.generator_learning_rate = 1e-3;

  config.checkpoint.every_seconds = 1e9;
  config.monitoring.port = -1;
  return config;
}

/// A world of one.
class SelfRanks {
 public:
  SelfRanks() : alone_(make_self_communicator()) {}
  Ranks ranks() const { return {*alone_, *alone_, *alone_, *alone_}; }

 private:
  std::unique_ptr<Communicator> alone_;
};

using Files = std::map<std::string, NamedTensors>;

/// Copies that later steps leave alone.
inline Files copy_of(const Files& files) {
  Files copies;
  for (const auto& [file, tensors] : files) copies[file] = tensors.clone();
  return copies;
}

/// How far two states lie apart: the largest difference of an element, relative to the largest element of its tensor, and where.
struct Distance {
  double relative = 0;
  std::string where = "nothing";
};

inline Distance distance(const Files& state, const Files& reference) {
  Distance worst;
  auto consider = [&](double relative, const std::string& where) {
    if (std::isnan(worst.relative) || relative <= worst.relative) return;  // NaN is the worst
    worst = {relative, where};
  };
  if (state.size() != reference.size()) consider(1e9, fmt::format("{} files instead of {}", state.size(), reference.size()));
  for (const auto& [file, expected] : reference) {
    const auto found = state.find(file);
    if (found == state.end() || found->second.size() != expected.size()) {
      consider(1e9, file + " (its tensors)");
      continue;
    }
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& [name, tensor] = found->second[i];
      const auto where = file + ": " + name;
      if (name != expected[i].name || tensor.sizes() != expected[i].tensor.sizes()) {
        consider(1e9, where);
        continue;
      }
      if (tensor.numel() == 0) continue;
      const auto ours = tensor.detach().to(at::kDouble), theirs = expected[i].tensor.detach().to(at::kDouble);
      const double difference = (ours - theirs).abs().max().item<double>();
      // What is zero but for rounding has no scale of its own.
      const double scale = std::max(theirs.abs().max().item<double>(), 1e-14);
      if (difference != 0) consider(difference / scale, where);
    }
  }
  return worst;
}

}  // namespace duet
