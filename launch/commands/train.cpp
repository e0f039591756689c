#include <cstdio>
#include <thread>

#include "base/process.h"
#include "cluster/ranks/world.h"
#include "cluster/run/allocation.h"
#include "cluster/run/run_lock.h"
#include "cluster/run/started.h"
#include "launch/cli/output_file.h"
#include "launch/commands/commands.h"
#include "launch/launcher/supervise.h"
#include "launch/options/options.h"
#include "launch/rank/train_rank.h"

namespace duet {
namespace {

namespace po = boost::program_options;

// The arguments without --ranks and --launcher: what each rank is started with.
std::vector<std::string> rank_arguments(std::span<const std::string> args) {
  std::vector<std::string> kept{"train"};
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--ranks" || args[i] == "--launcher") {
      ++i;
    } else if (!args[i].starts_with("--ranks=") && !args[i].starts_with("--launcher=")) {
      kept.push_back(args[i]);
    }
  }
  return kept;
}

int run_train(std::span<const std::string> args) {
  CommandLine line{
      .command = "train",
      .description =
          "Trains the retrieval network and the photo-to-sketch generator through all stages (strokes, pairs, retrieval, joint), or "
          "continues the run that the folder holds.",
      .examples =
          {"duet train --config quickstart --ranks 2 --run.folder runs/first --data.labelled data/pairs.store --data.pool data/pool.store",
           "duet train --config chairs-cpu --dry-run --data.labelled chairv2.store --data.pool pool.store",
           "mpirun -n 4 duet train --config my.cfg --run.folder runs/big", "duet train --config chairs-cpu --print-config > my.cfg"},
      .notes =
          "TERM, INT, USR2 and HUP save and leave with status 75; the same command continues. `duet train --print-config` prints every "
          "option (section.key) with its value and where it came from; docs/configuration.md explains them."};
  add_config_options(line);
  line.options.add_options()("ranks", po::value<int>(),
                             "start and supervise this many ranks; in a Slurm batch script: as many as it has tasks")(
      "launcher", po::value<std::string>()->default_value("auto"),
      "what starts them: srun or mpirun (over an allocation's nodes), local (on this host), auto (srun in a batch script with several "
      "tasks)")("dry-run", po::bool_switch(), "check everything that can be checked, print the plan, train nothing")(
      "print-config", po::bool_switch(), "print the configuration as a file that can be fed back");
  const auto options = parse(line, args);
  const auto config = config_from(options);
  if (options.is_on("print-config")) {
    std::fputs(print_config(config).c_str(), stdout);
    return 0;
  }
  const auto slurm = allocation();
  const bool in_batch_script = slurm && !slurm->inside_step && !started_by_launcher();
  const int ranks = options.get_or<int>("ranks", in_batch_script ? slurm->tasks : 1);
  const auto launcher = launcher_named(options.get<std::string>("launcher"), slurm);
  if (ranks < 1 || ranks > 4096) throw UsageError("--ranks {}: takes 1 … 4096.", ranks);
  if (options.is_on("dry-run")) {
    print_text(training_plan(config, ranks, PlannedFor::this_host));
    return 0;
  }
  if (config.values.run.folder.empty()) throw UsageError("--run.folder is needed: where the run keeps checkpoints, logs and its report.");
  refuse_foreign_run_folder(config.values.run.folder);
  if (ranks == 1 || started_by_launcher()) {
    if (ranks > 1)
      throw UsageError("--ranks {} inside mpirun or srun: the launcher has started the ranks already; leave --ranks out.", ranks);
    return train_rank(config);
  }
  check_batches(config.values, ranks);
  RunLock::require_free(config.values.run.folder);  // before ranks are started, and before last words of that job are cleared
  return supervise({.ranks = ranks,
                    .launcher = launcher,
                    .run_folder = config.values.run.folder,
                    .program = own_program(),
                    .arguments = rank_arguments(args)});
}

}  // namespace

Command train_command() { return {"train", "train retrieval network and generator, through all stages", run_train, "Training"}; }

}  // namespace duet
