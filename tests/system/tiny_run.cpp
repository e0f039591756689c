#include "tests/system/tiny_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

namespace duet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = R"(
[run]
samples_every = 4
evaluate_every = 4
[retrieval]
backbone = tiny
objective = infonce
head = 16
batch = 6
steps = 8
[generator]
backbone = tiny
latent = 8
hidden = 16
attention = 8
mixtures = 2
max_steps = 80
simplify_epsilon = 8
batch = 6
stroke_steps = 4
pair_steps = 6
learning_rate = 0.001
[discriminator]
width = 4
layers = 2
[joint]
steps = 6
retrieval_steps = 3
generator_steps = 2
discriminator_warmup = 2
labelled_batch = 6
pool_batch = 6
generator_batch = 6
[checkpoint]
every_steps = 5
[monitoring]
log_every = 1
)";

std::vector<Json> lines_of(const fs::path& file) {
  std::vector<Json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) lines.push_back(std::move(json));  // the last line may be in the making
  }
  return lines;
}

}  // namespace

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words duet(const Words& arguments) { return Words{DUET_PROGRAM} + arguments; }

Words under_mpirun(int ranks, const Words& command) { return Words{RUN_RANKS, std::to_string(ranks)} + command; }

const fs::path& stores() {
  static const TemporaryFolder folder;
  static const fs::path made = [] {
    const auto outcome = run(duet({"synth", "--pairs", "24", "--pool", "24", "--test", "8", "--strokes", "24", "--sketches", "2", "--side",
                                   "64", "--seed", "3", "--out", (folder / "data").string()}));
    EXPECT_EQ(outcome.status, 0) << outcome;
    return folder / "data";
  }();
  return made;
}

TinyRun::TinyRun() {
  std::ofstream out(file("tiny.cfg"));
  out << kConfig << "[data]\nimage_side = 32\n";
  for (const char* store : {"pairs", "pool", "strokes"})
    out << (std::string(store) == "pairs" ? "labelled" : store) << " = " << (stores() / (std::string(store) + ".store")).string() << "\n";
}

TinyRun::TinyRun(const TinyRun& other) : TinyRun() { fs::copy(other.folder(), folder(), fs::copy_options::recursive); }

Words TinyRun::train(const Words& options) const {
  return duet({"train", "--config", file("tiny.cfg").string(), "--run.folder", folder().string()}) + options;
}

fs::path TinyRun::latest() const {
  std::ifstream in(checkpoints() / "latest");
  std::string name;
  return std::getline(in, name) ? checkpoints() / name : fs::path();
}

std::vector<Json> TinyRun::steps() const {
  auto lines = lines_of(folder() / "metrics.jsonl");
  std::erase_if(lines, [](const Json& line) { return !line.contains("loss"); });
  return lines;
}

std::vector<Json> TinyRun::log(int rank) const { return lines_of(folder() / "log" / fmt::format("rank-{}.jsonl", rank)); }

Words endless() {
  return {"--generator.stroke_steps=0", "--generator.pair_steps=0", "--retrieval.steps=100000000", "--joint.steps=0",
          "--run.evaluate_every=0"};
}

void wait_for_steps(Child& program, const TinyRun& run, std::int64_t steps) {
  bool ended = false;
  wait_until(
      [&] {
        ended = !program.running();
        return ended || std::ssize(run.steps()) >= steps;
      },
      300);
  ASSERT_GE(std::ssize(run.steps()), steps) << (ended ? "the program ended too early: " : "too slow: ") << program.error_so_far();
}

const TinyRun& finished_run() {
  static const TinyRun finished;
  static const bool trained = [] {
    const auto outcome = run(finished.train({"--ranks", "2"}));
    EXPECT_EQ(outcome.status, 0) << outcome;
    return outcome.status == 0;
  }();
  EXPECT_TRUE(trained) << "there is no finished run to work with";
  return finished;
}

fs::path copy_store(const std::string& name, const fs::path& folder) {
  fs::create_directories(folder);
  fs::copy(stores() / name, folder / name, fs::copy_options::recursive);
  return folder / name;
}

fs::path shard_of(const fs::path& store, const std::string& split) {
  const auto manifest = read_json(store / "manifests" / "00000001.json");
  for (const auto& shard : manifest.at("shards")) {
    if (shard.at("split") == split) return store / shard.at("file").get<std::string>();
  }
  ADD_FAILURE() << store << " has no shard of " << split;
  return {};
}

void flip_bit(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const auto byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
  ASSERT_TRUE(stream.good()) << file;
}

std::vector<std::uint64_t> photos_in(const fs::path& shard) {
  const auto bytes = read_file(shard);
  std::vector<std::uint64_t> places;
  for (auto at = bytes.find("\xFF\xD8\xFF"); at != std::string::npos; at = bytes.find("\xFF\xD8\xFF", at + 1)) places.push_back(at);
  return places;
}

}  // namespace duet
