#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "datasets/image/image.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/store/store.h"
#include "monitoring/log/event_log.h"
#include "tests/stop_request.h"
#include "tests/trainer/tiny_config.h"
#include "trainer/checkpoint/checkpoint_folder.h"
#include "trainer/loop/run_state.h"
#include "trainer/loop/trainer.h"

// Whole trainings of a second, through all stages, for tests that stop and resume them.
namespace duet {

/// Strokes 3, pairs 4, retrieval 6, warm-up 3, joint 7 in cycles of 3 with 2 generator steps each: 29 steps.
inline TrainingConfig tiny_training(const std::filesystem::path& data, const std::filesystem::path& folder) {
  auto config = tiny_config(data);
  config.run.folder = folder;
  config.run.evaluate_every = 4;
  config.generator.stroke_steps = 3;
  config.generator.pair_steps = 4;
  config.retrieval.steps = 6;
  config.joint.discriminator_warmup = 3;
  config.joint.steps = 7;
  config.joint.retrieval_steps = 3;
  config.joint.generator_steps = 2;
  config.joint.temperature = 0.4;
  return config;
}
inline constexpr std::int64_t kTinySteps = 29;

/// Runs the training that `config` names to its end. After each of the steps `stops` (counted over all stages) the stopping rank is asked
/// to stop, once, and a new Trainer continues from the folder. `after_step`: also called after each step.
inline void train(const TrainingConfig& config, const Ranks& ranks, std::set<std::int64_t> stops = {},
                  const std::function<void(std::int64_t)>& after_step = {}, const std::function<void(const Trainer&)>& at_end = {}) {
  const int stopping_rank = ranks.size() - 1;
  for (;;) {
    TrainerOptions options;
    options.configuration = Json{{"retrieval.batch", fmt::format("{}", config.retrieval.batch)}};
    options.after_step = [&](std::int64_t step) {
      if (after_step) after_step(step);
      if (stops.erase(step) > 0 && ranks.rank() == stopping_rank) request_stop();
    };
    Trainer trainer(config, ranks, {}, options);
    const auto outcome = trainer.run();
    clear_stop_request();
    if (!outcome.complete) {
      ASSERT_EQ(outcome.stop_reason, "signal USR2");
      continue;
    }
    EXPECT_TRUE(stops.empty()) << "the run never came to step " << *stops.begin();
    if (at_end) at_end(trainer);
    return;
  }
}

/// A folder of stores like `data` with a pool of its own that may be appended to.
inline void copy_data(const std::filesystem::path& data, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  std::filesystem::copy(data, to, std::filesystem::copy_options::recursive);
}

/// Trainings of one process over stores that a suite's cases share; each run has a folder beside them.
class TinyTrainings : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    at::set_num_threads(1);
    folder_ = std::make_unique<TemporaryFolder>();
    write_tiny_data(folder("data"));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::filesystem::path folder(const std::string& name) { return *folder_ / name; }
  static TrainingConfig config(const std::string& run) { return tiny_training(folder("data"), folder(run)); }
  /// The same with stores of its own.
  static TrainingConfig config_with_data(const std::string& run) {
    copy_data(folder("data"), folder(run + "-data"));
    return tiny_training(folder(run + "-data"), folder(run));
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

/// The content of a run's newest checkpoint by file name, and of RUN/results.json. Numbers of saves and times are left out; what JSON
/// holds is put into one order.
inline std::map<std::string, std::string> content_of(const std::filesystem::path& run) {
  std::map<std::string, std::string> content;
  auto sorted = [](const std::filesystem::path& file) { return nlohmann::json::parse(read_file(file)).dump(1); };
  const auto found = find_checkpoint(run / "checkpoints");
  if (!found.checkpoint) return content;
  for (const auto& entry : std::filesystem::directory_iterator(found.checkpoint->folder())) {
    const auto name = entry.path().filename().string();
    if (name == "manifest.json") continue;
    content[name] = name.ends_with(".json") ? sorted(entry.path()) : read_file(entry.path());
  }
  content["results.json"] = sorted(run / "results.json");
  content["step"] = fmt::format("{}", found.checkpoint->step());
  return content;
}

inline void expect_same_content(const std::map<std::string, std::string>& run, const std::map<std::string, std::string>& reference,
                                const std::string& what) {
  ASSERT_FALSE(reference.empty());
  for (const auto& [name, expected] : reference) {
    const auto found = run.find(name);
    ASSERT_NE(found, run.end()) << what << ": '" << name << "' is missing";
    if (found->second == expected) continue;
    if (name.ends_with(".json")) {
      EXPECT_EQ(found->second, expected) << what << ": " << name;
    } else {
      ADD_FAILURE() << what << ": " << name << " has other bytes than the straight run's";
    }
  }
  EXPECT_EQ(run.size(), reference.size()) << what;
}

/// Adds a generation of new photos to a pool, and one that is a photo of the labelled store's validation part. Returns how many.
inline int append_to_pool(const std::filesystem::path& pool, const std::filesystem::path& labelled, std::uint64_t seed) {
  auto writer = StoreWriter::append(pool);
  constexpr int kNew = 12, kSide = 48;
  for (int index = 0; index < kNew; ++index) {
    const auto photo = render_photo(ItemKind::chair, seed, index, kSide);
    writer.add_photo({.id = fmt::format("late-{}-{}", seed, index),
                      .bytes = encode_jpeg(photo, 90),
                      .width = kSide,
                      .height = kSide,
                      .hash = perceptual_hash(photo)});
  }
  std::vector<std::byte> bytes;
  const auto held_out = Store::open(labelled)->view("validation").read_photo(0, bytes);
  writer.add_photo(
      {.id = fmt::format("copied-{}", seed), .bytes = bytes, .width = held_out.width, .height = held_out.height, .hash = held_out.hash});
  writer.commit({{"source", "a test"}});
  return kNew + 1;
}

}  // namespace duet
