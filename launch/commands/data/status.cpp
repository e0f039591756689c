#include "launch/commands/commands.h"
#include "launch/status/run_status.h"
#include "launch/status/run_status_text.h"

namespace duet {
namespace {

namespace po = boost::program_options;

int run_status(std::span<const std::string> args) {
  CommandLine line{.command = "status",
                   .description =
                       "Says how runs stand, from their folders and the job queue: state, progress, rate and time left, last losses, last "
                       "checkpoint, generation of the pool, best validation, restarts, job, and the last words of ranks that failed. "
                       "Several runs make a table.",
                   .positionals = {{"RUN", "folder of a run", 1, -1}},
                   .examples = {"duet status runs/first", "duet status runs/*", "duet status runs/first --json | jq .state",
                                "watch -n 10 duet status runs/first"}};
  line.options.add_options()("json", po::bool_switch(), "print JSON: an object, or an array of them for several runs");
  const auto options = parse(line, args);
  std::vector<RunStatus> runs;
  std::string faults;
  ExitStatus status = ExitStatus::done;
  const auto folders = options.arguments("RUN");
  for (const auto& folder : folders) {
    try {
      runs.push_back(read_run_status(folder));
    } catch (const Error& error) {
      // A wrong name or a damaged run among several must not hide the others.
      if (faults.empty()) status = error.status();
      faults += (faults.empty() ? "" : "\n") + std::string(error.what());
    }
  }
  if (options.is_on("json")) {
    Json json = Json::array();
    for (const auto& run : runs) json.push_back(to_json(run));
    if (folders.size() > 1) print_json(json);
    if (folders.size() == 1 && !runs.empty()) print_json(json[0]);
  } else if (!runs.empty()) {
    print_text(folders.size() == 1 ? describe(runs.front()) : table_of(runs));
  }
  if (!faults.empty()) throw Error(status, faults);
  return 0;
}

}  // namespace

Command status_command() { return {"status", "say how runs stand: progress, checkpoints, jobs, errors", run_status, "Jobs"}; }

}  // namespace duet
