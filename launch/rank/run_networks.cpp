#include "launch/rank/run_networks.h"

#include "base/log.h"
#include "cluster/run/run_folder.h"

namespace duet {
namespace {

namespace po = boost::program_options;

Checkpoint named_checkpoint(const ParsedOptions& options) {
  if (options.given("run") == options.given("checkpoint")) throw UsageError("give either --run DIR or --checkpoint DIR.");
  if (options.given("checkpoint")) return Checkpoint::open(options.get<std::string>("checkpoint"));
  const std::filesystem::path run(options.get<std::string>("run"));
  if (!std::filesystem::is_directory(run))
    throw InputMissing("{}: there is no such run. --run takes the run.folder of `duet train`.", run.string());
  auto found = find_checkpoint(RunFolder(run).checkpoints().path());
  for (const auto& reason : found.passed_over) warn("{}", reason);
  if (!found.checkpoint) throw InputMissing("{}: holds no checkpoint yet.", run.string());
  return std::move(*found.checkpoint);
}

// What a checkpoint says of its configuration, which is all that networks depend on; where the stores lie is in the run's own file.
TrainingConfig configuration_of(const Checkpoint& checkpoint) {
  TrainingConfig config;
  const auto file = RunFolder::of_checkpoint(checkpoint.folder()).config();
  if (std::filesystem::exists(file)) config = resolve_config({.file = file.string(), .environment = {}, .command_line = {}}).values;
  for (const auto& option : config_table()) {
    if (checkpoint.configuration().contains(option.name)) option.set(config, checkpoint.configuration().at(option.name).get<std::string>());
  }
  return config;
}

}  // namespace

void add_run_options(CommandLine& line) {
  line.options.add_options()("run", po::value<std::string>(), "folder of a run: its newest checkpoint is used")(
      "checkpoint", po::value<std::string>(), "folder of one checkpoint")("json", po::bool_switch(), "print one JSON object");
}

void add_weights_option(CommandLine& line) {
  line.options.add_options()("weights", po::value<std::string>(),
                             "last | average | best: which of the retrieval network's; without this option best, or in a run that has "
                             "evaluated none yet average, else last");
}

OpenedRun::OpenedRun(const ParsedOptions& options, const Ranks& ranks)
    : checkpoint_(named_checkpoint(options)), config_(configuration_of(*checkpoint_)) {
  weights_ = options.get_or<std::string>("weights", "best");
  if (weights_ != "last" && weights_ != "average" && weights_ != "best") {
    throw UsageError("--weights {}: takes last, average or best.", weights_);
  }
  if (!options.given("weights") && !checkpoint_->has(CheckpointFile::of_retrieval("best"))) {
    weights_ = checkpoint_->has(CheckpointFile::of_retrieval("average")) ? "average" : "last";
  }
  Device device;
  if (config_.run.precision == Precision::float64) device.dtype = at::kDouble;
  networks_ = std::make_unique<TrainedNetworks>(config_, *checkpoint_, weights_, ranks, device);
}

}  // namespace duet
