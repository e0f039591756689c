#include <cstdio>
#include <map>
#include <sstream>

#include "base/process.h"
#include "cluster/run/run_folder.h"
#include "launch/cli/output_file.h"
#include "launch/commands/commands.h"
#include "launch/jobs/batch_script.h"
#include "launch/jobs/job_queue.h"
#include "launch/jobs/submission.h"
#include "launch/options/options.h"
#include "launch/rank/train_rank.h"
#include "monitoring/metrics/run_name.h"

namespace duet {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

// Of sbatch, handed on as they are.
constexpr std::pair<const char*, const char*> kHandedOn[] = {
    {"time", "longest time of a job, as sbatch takes it (4:00:00, 2-00:00:00); the job saves and is requeued before"},
    {"partition", "part of the cluster"},
    {"account", "whom the time is charged to"},
    {"qos", "quality of service"},
    {"constraint", "features that the nodes must have"},
};

struct Size {
  int nodes, tasks_per_node, gpus_per_node;
  int ranks() const { return nodes * tasks_per_node; }
};

Size size_of(const ParsedOptions& options, const ResolvedConfig& config) {
  const auto positive = [&](const char* name, int otherwise) {
    const int value = options.get_or<int>(name, otherwise);
    if (options.given(name) && value < 1) throw UsageError("--{} {}: takes 1 or more.", name, value);
    return value;
  };
  Size size{.nodes = positive("nodes", 1), .tasks_per_node = positive("tasks-per-node", 0), .gpus_per_node = positive("gpus-per-node", 0)};
  const bool may_share = config.values.cluster.backend == GradientCarrier::mpi;
  if (size.gpus_per_node > 0 && size.tasks_per_node > 0 && size.tasks_per_node != size.gpus_per_node &&
      !(may_share && size.tasks_per_node > size.gpus_per_node)) {
    throw UsageError("--gpus-per-node {} and --tasks-per-node {}: a rank uses one GPU. Leave --tasks-per-node out{}.", size.gpus_per_node,
                     size.tasks_per_node, may_share ? "" : "; with cluster.backend=mpi several ranks may share one");
  }
  if (size.tasks_per_node == 0) size.tasks_per_node = std::max(1, size.gpus_per_node);
  return size;
}

// What the script has settings of its own for.
bool is_setting(const std::string& option) {
  return option == "run.folder" || option == "data.labelled" || option == "data.pool" || option == "data.strokes";
}

// What `duet train` in the job is given beside the script's settings: the command line's own words, and what came from this environment,
// which the job may not have.
std::vector<std::string> train_arguments(const ResolvedConfig& config) {
  std::vector<std::string> arguments;
  for (const auto& option : config_table()) {
    const auto& origin = config.origin.at(option.name);
    const bool is_given = origin == "command line" || origin == option.environment_name();
    if (is_given && !is_setting(option.name)) arguments.push_back("--" + option.name + "=" + option.get(config.values));
  }
  return arguments;
}

BatchScript script_of(const ParsedOptions& options, const ResolvedConfig& config, const Size& size, const fs::path& folder,
                      const std::string& log) {
  auto script = BatchScript::shipped("train");
  script.set_option("job-name", options.get_or<std::string>("name", run_name(folder)));
  script.set_option("chdir", fs::current_path().string());
  script.set_option("output", log);
  script.set_option("nodes", std::to_string(size.nodes));
  script.set_option("ntasks-per-node", std::to_string(size.tasks_per_node));
  if (size.gpus_per_node > 0) script.set_option("gpus-per-node", std::to_string(size.gpus_per_node));
  if (options.given("cpus-per-task")) script.set_option("cpus-per-task", std::to_string(options.get<int>("cpus-per-task")));
  for (const auto& [name, help] : kHandedOn) {
    if (options.given(name)) script.set_option(name, options.get<std::string>(name));
  }
  if (options.given("after")) {
    script.set_option("dependency", "afterok:" + options.get<std::string>("after"));
    script.set_option("kill-on-invalid-dep", "yes");
  }
  if (options.given("sbatch")) script.add_options(options.get<std::string>("sbatch"));
  script.set("DUET", own_program().string());
  script.set("CONFIG", options.get_or<std::string>("config", ""));
  script.set("RUN_FOLDER", folder.string());
  const auto& data = config.values.data;
  for (const auto& [name, store] : {std::pair{"LABELLED", data.labelled}, {"POOL", data.pool}, {"STROKES", data.strokes}})
    script.set(name, store.empty() ? "" : fs::absolute(store).lexically_normal().string());
  script.set_list("ARGUMENTS", train_arguments(config));
  // The script's own would win over the configuration file's.
  if (config.origin.at("monitoring.address") != "default") script.set("DUET_MONITORING_ADDRESS", config.values.monitoring.address);
  if (options.given("launcher")) script.set("LAUNCHER", options.get<std::string>("launcher"));
  if (options.given("max-restarts")) script.set("MAX_RESTARTS", std::to_string(options.get<int>("max-restarts")));
  if (options.given("stage-to")) script.set("STAGE_TO", options.get<std::string>("stage-to"));
  return script;
}

// What a job that is waited for will have left behind by then is not there yet.
ResolvedConfig without_later_files(ResolvedConfig config) {
  for (auto* initial : {&config.values.retrieval.initial, &config.values.generator.initial}) {
    if (!RunFolder(*initial).checkpoints().has_any() && !fs::is_regular_file(*initial)) initial->clear();
  }
  return config;
}

// What is checked, shown and remembered of a job must be what is submitted.
void check_further_options(const std::string& words) {
  static const std::map<std::string, std::string> refused = {
      {"--array", "tasks of an array would share one run's folder; slurm/sweep.sbatch gives each its own"},
      {"--chdir", "the job runs in the folder it is submitted from"},
      {"--cpus-per-task", "give it to duet submit itself"},
      {"--dependency", "use --after of duet submit"},
      {"--gpus-per-node", "give it to duet submit itself"},
      {"--job-name", "use --name of duet submit"},
      {"--nodes", "give it to duet submit itself"},
      {"--ntasks", "use --nodes and --tasks-per-node of duet submit"},
      {"--no-requeue", "use --max-restarts 0 of duet submit"},
      {"--ntasks-per-node", "use --tasks-per-node of duet submit"},
      {"--open-mode", "each start of the job appends to one log"},
      {"--output", "the log lies in the run's folder, where `duet status` finds it"},
      {"--test-only", "duet submit has sbatch check the script before it submits it"}};
  static const std::map<std::string, std::string> long_name = {{"-a", "--array"},      {"-c", "--cpus-per-task"}, {"-D", "--chdir"},
                                                               {"-d", "--dependency"}, {"-J", "--job-name"},      {"-N", "--nodes"},
                                                               {"-n", "--ntasks"},     {"-o", "--output"}};
  std::istringstream in(words);
  for (std::string word; in >> word;) {
    auto name = word.substr(0, word.find('='));
    if (const auto known = long_name.find(word.substr(0, 2)); known != long_name.end()) name = known->second;
    if (const auto found = refused.find(name); found != refused.end())
      throw UsageError("--sbatch '{}': {}: {}.", words, word, found->second);
    if (name == "--signal" && word.find("=B:USR2@") == std::string::npos)
      throw UsageError(
          "--sbatch '{}': {}: it is USR2 to the batch script that makes the job save; only its seconds may differ: --signal=B:USR2@300.",
          words, word);
  }
}

void check_choices(const ParsedOptions& options) {
  if (const auto after = options.get_or<std::string>("after", "0"); after.find_first_not_of("0123456789_:") != std::string::npos) {
    throw UsageError("--after {}: takes the number of a job.", after);
  }
  std::istringstream jobs(options.get_or<std::string>("after", ""));
  for (std::string job; std::getline(jobs, job, ':');) {
    // Slurm would take one that it does not know for one that has ended well.
    if (!is_known_job(job))
      throw UsageError("--after {}: Slurm knows no such job (any more). Leave --after out if it has ended well.", job);
  }
  check_further_options(options.get_or<std::string>("sbatch", ""));
  if (const auto stage = options.get_or<std::string>("stage-to", "/"); !stage.starts_with("/")) {
    throw UsageError("--stage-to {}: takes a whole path, of a folder on each node's own disk.", stage);
  }
  if (const auto launcher = options.get_or<std::string>("launcher", "srun"); launcher != "srun" && launcher != "mpirun") {
    throw UsageError("--launcher {}: takes srun or mpirun.", launcher);
  }
  if (options.given("cpus-per-task") && options.get<int>("cpus-per-task") < 1) throw UsageError("--cpus-per-task: takes 1 or more.");
  if (options.given("max-restarts") && options.get<int>("max-restarts") < 0) throw UsageError("--max-restarts: takes 0 or more.");
}

int submit_train(std::span<const std::string> args) {
  CommandLine line{
      .command = "submit train",
      .description =
          "Submits a training to Slurm. Before anything is queued it checks what `duet train --dry-run` checks, for as many ranks as the "
          "job will have, and lets sbatch check the script. The script is slurm/train.sbatch with these settings; it is kept in the run's "
          "folder and may be submitted again with sbatch.",
      .examples = {"duet submit train --config chairs-cpu --run.folder runs/first --nodes 2 --tasks-per-node 4 --cpus-per-task 8 "
                   "--time 4:00:00 --data.labelled chairv2.store --data.pool pool.store",
                   "duet submit train --config paper --run.folder runs/big --nodes 2 --gpus-per-node 8 --time 24:00:00 --partition gpu "
                   "--sbatch '--mem=200G --exclusive' --stage-to /scratch",
                   "duet submit train --config my.cfg --run.folder runs/x --print > job.sbatch"},
      .notes = "docs/slurm.md has the rest: what the job does at its time limit, sweeps, chains of stages."};
  add_config_options(line);
  auto add = line.options.add_options();
  add("nodes", po::value<int>()->value_name("N"), "nodes (1)");
  add("gpus-per-node", po::value<int>()->value_name("N"), "GPUs of each node, and as many ranks; run.device becomes cuda");
  add("tasks-per-node", po::value<int>()->value_name("N"), "ranks of each node (as many as GPUs, else 1)");
  add("cpus-per-task", po::value<int>()->value_name("N"), "cores of each rank");
  for (const auto& [name, help] : kHandedOn) add(name, po::value<std::string>()->value_name("TEXT"), help);
  add("name", po::value<std::string>()->value_name("NAME"), "name in the queue (the run's folder's)");
  add("launcher", po::value<std::string>()->value_name("NAME"), "what starts the ranks: srun (with PMIx) or mpirun");
  add("max-restarts", po::value<int>()->value_name("N"), "how often the job is requeued at most");
  add("stage-to", po::value<std::string>()->value_name("DIR"), "folder on each node's own disk that the stores are copied to first");
  add("after", po::value<std::string>()->value_name("JOB"),
      "begin once that job has ended well; what it will have written is not checked now");
  add("sbatch", po::value<std::string>()->value_name("OPTIONS"), "further options of sbatch: '--mem=64G --exclusive'");
  add("print", po::bool_switch(), "print the script and submit nothing");
  add("json", po::bool_switch(), "print what was submitted as JSON");
  const auto options = parse(line, args);
  check_choices(options);
  auto config = config_from(options);
  if (config.values.run.folder.empty()) throw UsageError("--run.folder is needed: where the run keeps checkpoints, logs and its report.");
  const auto size = size_of(options, config);
  if (size.gpus_per_node > 0 && config.values.run.device != DeviceKind::cuda && config.origin.at("run.device") != "default") {
    throw UsageError("--gpus-per-node {}, but run.device = {} ({}): the GPUs would stand idle.", size.gpus_per_node,
                     to_word(config.values.run.device), config.origin.at("run.device"));
  }
  if (size.gpus_per_node > 0 && config.values.run.device != DeviceKind::cuda) {
    config.values.run.device = DeviceKind::cuda;
    config.origin["run.device"] = "command line";
  }
  const auto folder = fs::absolute(config.values.run.folder).lexically_normal();
  // A printed script is on its own: nobody makes the run's folder before Slurm opens the job's log.
  const auto log = options.is_on("print") ? std::string("duet-train-%j.out") : job_log_pattern(folder);
  const auto script = script_of(options, config, size, folder, log).text();
  if (!options.is_on("print")) refuse_foreign_run_folder(folder);
  require_submittable(folder);
  const auto plan = training_plan(options.given("after") ? without_later_files(config) : config, size.ranks(), PlannedFor::cluster);
  if (options.is_on("print")) {
    std::fputs(script.c_str(), stdout);
    return 0;
  }
  const auto estimate = test_batch_script(script);
  const auto job = submit_batch_script(folder, "train", script);
  if (options.is_on("json")) {
    const Json json{{"job", job.id},       {"run", folder.string()}, {"script", job.script}, {"log", job.log},
                    {"nodes", size.nodes}, {"ranks", size.ranks()},  {"estimate", estimate}};
    print_json(json);
    return 0;
  }
  const auto text = fmt::format(
      "{}submitted job {}: {} node{} × {} rank{}\n"
      "  watch     duet status {}\n"
      "            tail -F {}\n"
      "            squeue -j {}\n"
      "  stop      scancel {}\n"
      "  script    {}\n",
      plan, job.id, size.nodes, size.nodes == 1 ? "" : "s", size.tasks_per_node, size.tasks_per_node == 1 ? "" : "s", folder.string(),
      job.log, job.id, job.id, job.script);
  print_text(text);
  return 0;
}

int run_submit(std::span<const std::string> args) {
  const Command parts[] = {{"train", "a training, on as many nodes as you like, requeued until it is finished", submit_train}};
  return run_part("submit", "Submits jobs to Slurm, after checking all that can be checked before.", parts, args);
}

}  // namespace

Command submit_command() { return {"submit", "check a training and submit it to Slurm", run_submit, "Jobs"}; }

}  // namespace duet
