#include <fmt/format.h>

#include "base/json.h"
#include "cluster/run/run_folder.h"
#include "launch/cli/output_file.h"
#include "launch/commands/commands.h"
#include "monitoring/trace/trace_merge.h"

namespace duet {
namespace {

namespace po = boost::program_options;

void print_ranks(const Json& found) {
  print("\n{:<5} {:>9}  {:>8} {:>14} {:>10} {:>11} {:>11} {:>11} {:>6}   {}\n", "rank", "seconds", "compute", "communication", "data wait",
        "checkpoint", "evaluation", "directives", "other", "gradients in flight, of it hidden by the backward pass");
  for (const auto& rank : found["ranks"]) {
    const auto seconds = rank["seconds"].get<double>();
    const auto share = [&](const char* part) {
      return fmt::format("{:.1f} %", seconds > 0 ? 100 * rank[part].get<double>() / seconds : 0);
    };
    const auto in_flight = rank["gradients_in_flight"].get<double>();
    const auto hidden = std::max(0.0, in_flight - rank["gradients_exposed"].get<double>());
    print("{:<5} {:>9.3f}  {:>8} {:>14} {:>10} {:>11} {:>11} {:>11} {:>6}   {}\n", rank["rank"].get<int>(), seconds, share("compute"),
          share("communication"), share("data_wait"), share("checkpoint"), share("evaluation"), share("control"), share("other"),
          in_flight > 0 ? fmt::format("{:.3f} s, {:.0f} %", in_flight, 100 * hidden / in_flight) : "none");
  }
}

void print_summary(const Json& found) {
  print("trace       {} ({} events of {} ranks); open it in ui.perfetto.dev or chrome://tracing\n", found["out"].get<std::string>(),
        found["events"].get<std::int64_t>(), found["ranks"].size());
  for (const auto& rank : found["missing_ranks"]) print("missing     rank {} left no trace\n", rank.get<int>());
  for (const auto& rank : found["ranks"]) {
    if (const auto count = rank["left_out"].get<std::int64_t>(); count > 0) {
      print("left out    {} spans of rank {}, for which its file had no room\n", count, rank["rank"].get<int>());
    }
    if (rank["rank"] == 0) continue;
    print("clock       rank {} is {:+.6f} s from rank 0, give or take {:.0f} µs; it drifted by {:.0f} µs\n", rank["rank"].get<int>(),
          rank["clock_offset"].get<double>(), rank["clock_uncertainty"].get<double>() * 1e6, rank["clock_drift"].get<double>() * 1e6);
  }
  print_ranks(found);
  if (!found["slowest_steps"].empty()) print("\nslowest of {} steps\n", found["steps"].get<std::int64_t>());
  for (const auto& step : found["slowest_steps"]) {
    print("  step {:<8} {} ({})  {:.3f} s on rank {}, of it {:.3f} s communication and {:.3f} s waiting for data\n",
          step["step"].get<std::int64_t>(), step["phase"].get<std::string>(), step["stage"].get<std::string>(),
          step["seconds"].get<double>(), step["rank"].get<int>(), step["communication"].get<double>(), step["data_wait"].get<double>());
  }
  if (const auto& rank = found["waited_for"]; !rank.is_null()) {
    print("\nThe others waited most for rank {}: in {} steps, {:.3f} s longer in communication than it.\n", rank["rank"].get<int>(),
          rank["steps"].get<std::int64_t>(), rank["seconds"].get<double>());
  }
}

}  // namespace

int inspect_trace(std::span<const std::string> args) {
  CommandLine line{.command = "inspect trace",
                   .description =
                       "Merges the traces that the ranks of a run wrote (monitoring.trace_steps) into one file for ui.perfetto.dev or "
                       "chrome://tracing, all on rank 0's clock, and says where the time went.",
                   .positionals = {{"RUN", "a run's folder"}},
                   .examples = {"duet train --config chairs-cpu --ranks 2 --run.folder runs/chairs --monitoring.trace_steps 101:110",
                                "duet inspect trace runs/chairs", "duet inspect trace runs/chairs --out /tmp/chairs.json --json"},
                   .notes = "Shares are of the main thread's time; each moment is counted once, for the innermost of the spans around it."};
  line.options.add_options()("out", po::value<std::string>()->value_name("FILE"), "the merged trace; otherwise RUN/trace.json")(
      "json", po::bool_switch(), "print the summary as one JSON object");
  const auto options = parse(line, args);
  const RunFolder run(options.argument("RUN"));
  const std::filesystem::path out = options.get_or<std::string>("out", run.merged_trace().string());
  const auto traces = run.traces();
  refuse_to_overwrite(out, traces, "[\n{\"name\":\"process_name\"");
  const auto found = merge_traces(run.path(), traces, out);
  if (options.is_on("json")) {
    print_json(found);
  } else {
    print_summary(found);
  }
  return 0;
}

}  // namespace duet
