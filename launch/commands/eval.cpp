#include "base/log.h"
#include "base/text.h"
#include "cluster/ranks/world.h"
#include "launch/commands/commands.h"
#include "launch/rank/own_cores.h"
#include "launch/rank/run_networks.h"
#include "trainer/evaluation/retrieval_evaluation.h"
#include "trainer/kernels/memory.h"

namespace duet {
namespace {

namespace po = boost::program_options;

std::string default_split(const Store& store) {
  const auto splits = store.splits();
  for (const auto* name : {"test", "validation"}) {
    if (std::find(splits.begin(), splits.end(), name) != splits.end()) return name;
  }
  throw UsageError("{}: has neither a test nor a validation split; name one with --split: {}.", store.path().string(),
                   fmt::join(splits, ", "));
}

void warn_of(const std::vector<std::vector<std::string>>& twins) {
  if (twins.empty()) return;
  constexpr std::size_t kShown = 5;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(kShown, twins.size()); ++i) {
    auto ids = twins[i];
    ids.resize(std::min(kShown, ids.size()));
    for (auto& id : ids) id = fmt::format("'{}'", printable(id));
    shown.push_back(fmt::format("{}{}", fmt::join(ids, " = "), ids.size() < twins[i].size() ? " = …" : ""));
  }
  warn(
      "{} of the gallery's photos are there twice or more: {}{}. A sketch of one finds the other as near, which counts against it; figures "
      "without them are higher. Leave one of each out where the data are imported.",
      twins.size(), fmt::join(shown, ", "), shown.size() < twins.size() ? ", …" : "");
}

int run_eval(std::span<const std::string> args) {
  CommandLine line{
      .command = "eval",
      .description =
          "Ranks the photos of a split for each of its sketches, by the field's protocol: ties count against you, every sketch is a query, "
          "the gallery are the distinct photos of the sketches.",
      .examples = {"duet eval --run runs/first", "duet eval --run runs/first --split validation --weights average --json",
                   "duet eval --checkpoint runs/first/checkpoints/step-00000400 --store chairv2.store --split test",
                   "duet eval --run runs/first --split validation --generated 4", "mpirun -n 4 duet eval --run runs/first"}};
  add_run_options(line);
  add_weights_option(line);
  line.options.add_options()("store", po::value<std::string>(), "store of labelled pairs; without it, the one the run was trained on")(
      "split", po::value<std::string>(), "split of the store; without it, test where there is one, else validation")(
      "generated", po::value<int>()->default_value(0), "instead of people's sketches, this many that the generator draws of each photo");
  const auto options = parse(line, args);
  const int generated = options.get<int>("generated");
  if (generated < 0 || generated > 1000) throw UsageError("--generated {}: takes 0 … 1000.", generated);

  World world;
  keep_freed_memory();
  use_own_cores(world, 0);
  const Ranks ranks{world.control(), world.gradients(), world.statistics(), world.data()};
  OpenedRun run(options, ranks);
  const auto path = options.get_or<std::string>("store", run.config().data.labelled);
  if (path.empty()) throw UsageError("--store is needed: this checkpoint lies in no run's folder that could name one.");
  const auto store = Store::open(path);
  const auto split = options.has("split") ? options.get<std::string>("split") : default_split(*store);
  const auto view = store->view(split);
  if (view.sketch_count() == 0) throw UsageError("{}: split '{}' holds no sketches, so it has neither queries nor a gallery.", path, split);
  const auto result = generated > 0 ? run.networks().evaluate_generator(view, generated) : run.networks().evaluate(view);
  if (world.rank() != 0) return 0;
  const auto twins = same_photos(view, gallery_of(view, run.config().data.image_side));
  warn_of(twins);
  if (options.is_on("json")) {
    auto json = to_json(result.metrics);
    json["same_photos"] = twins;
    print_json(json, -1);
  } else {
    print_text(metrics_table({{fmt::format("{} {}{}", split, run.weights(), generated > 0 ? ", generated" : ""), result.metrics}}));
  }
  return 0;
}

}  // namespace

Command eval_command() { return {"eval", "measure retrieval of a split, with intervals and counts", run_eval, "Training"}; }

}  // namespace duet
