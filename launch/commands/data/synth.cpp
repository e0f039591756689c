#include "launch/commands/commands.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cluster/run/stop_signal.h"
#include "datasets/store/store.h"
#include "datasets/synthetic/write.h"
#include "monitoring/log/progress.h"

namespace duet {

namespace {

namespace po = boost::program_options;

/// The stores of one call appear together: unless keep() is called, those that were not there before are removed again, so that the same
/// command can be repeated.
class NewStores {
 public:
  explicit NewStores(const std::filesystem::path& folder) {
    for (const char* name : {"pairs.store", "pool.store", "strokes.store"})
      if (!std::filesystem::exists(folder / name)) paths_.push_back(folder / name);
  }
  ~NewStores() {
    std::error_code ignored;  // nothing better can be done while another error is on its way
    for (const auto& path : paths_) std::filesystem::remove_all(path, ignored);
  }
  NewStores(const NewStores&) = delete;
  NewStores& operator=(const NewStores&) = delete;

  std::vector<std::filesystem::path> keep() {
    std::vector<std::filesystem::path> made;
    for (const auto& path : paths_)
      if (std::filesystem::exists(path)) made.push_back(path);
    paths_.clear();
    return made;
  }

 private:
  std::vector<std::filesystem::path> paths_;
};

SynthOptions options_from(const ParsedOptions& parsed) {
  SynthOptions options;
  options.out = parsed.get<std::string>("out");
  options.kind = item_kind(parsed.get<std::string>("kind"));
  options.seed = parsed.get<std::uint64_t>("seed");
  options.pairs = parsed.get<std::int64_t>("pairs");
  options.test = parsed.get<std::int64_t>("test");
  options.sketches_per_photo = parsed.get<int>("sketches");
  options.pool = parsed.get<std::int64_t>("pool");
  options.strokes = parsed.get<std::int64_t>("strokes");
  options.side = parsed.get<int>("side");
  options.jpeg_quality = parsed.get<int>("quality");
  return options;
}

int run_synth(std::span<const std::string> args) {
  const SynthOptions defaults;
  CommandLine line{.command = "synth",
                   .description =
                       "Makes stores of invented chairs or shoes: photos of them, and sketches as a person might draw them. The "
                       "same options give the same bytes. Every third photo of the pairs validates; the test photos come on top."};
  line.options.add_options()("out", po::value<std::string>()->value_name("DIR"), "folder for pairs.store, pool.store and strokes.store")(
      "pairs", po::value<std::int64_t>()->default_value(defaults.pairs),
      "photos with sketches, for training and validation; 0: no pairs.store")(
      "test", po::value<std::int64_t>()->default_value(defaults.test), "photos with sketches, for testing")(
      "sketches", po::value<int>()->default_value(defaults.sketches_per_photo), "sketches of each of these photos")(
      "pool", po::value<std::int64_t>()->default_value(defaults.pool), "photos without sketches; 0: no pool.store")(
      "strokes", po::value<std::int64_t>()->default_value(defaults.strokes), "sketches without photos; 0: no strokes.store")(
      "kind", po::value<std::string>()->default_value(to_string(defaults.kind)), "chair or shoe")(
      "seed", po::value<std::uint64_t>()->default_value(defaults.seed), "another seed, other things")(
      "side", po::value<int>()->default_value(defaults.side), "of the photos, in pixels")(
      "quality", po::value<int>()->default_value(defaults.jpeg_quality), "of the stored JPEGs, 1 to 100")("json", po::bool_switch(),
                                                                                                          "print what was made as JSON");
  line.examples = {"duet synth --pairs 300 --pool 1000 --seed 7 --out synthetic",
                   "duet synth --kind shoe --pairs 0 --pool 1000000 --seed 1 --out many-shoes"};
  const auto parsed = parse(line, args);
  const auto options = options_from(parsed);

  install_stop_signals();
  NewStores stores(options.out);
  std::unique_ptr<Progress> progress;
  write_synthetic(options, [&](std::int64_t done, std::int64_t total) {
    if (stop_requested()) throw Interrupted("stopped; no store was made in {}. The same command starts anew.", options.out.string());
    if (!progress) progress = std::make_unique<Progress>("synth", "items", total);
    progress->update(done);
  });
  if (progress) progress->finish();
  const auto made = stores.keep();

  Json json = Json::object();
  std::string text;
  for (const auto& path : made) {
    const auto manifest = Store::open(path)->manifest();
    Json splits = Json::object();
    for (const auto& [split, counts] : manifest.splits()) {
      text += fmt::format("{}: {} photos, {} sketches in '{}'\n", path.string(), counts.photos, counts.sketches, split);
      splits[split] = {{"photos", counts.photos}, {"sketches", counts.sketches}};
    }
    json[path.filename().string()] = {{"store", path.string()}, {"splits", splits}};
  }
  if (parsed.is_on("json")) {
    print_json(json);
  } else {
    print_text(text);
  }
  return 0;
}

}  // namespace

Command synth_command() {
  return {.name = "synth", .summary = "make stores of invented chairs or shoes, to try things out", .run = run_synth, .group = "Data"};
}

}  // namespace duet
