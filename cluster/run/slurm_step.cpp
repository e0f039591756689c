#include "cluster/run/slurm_step.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace duet {
namespace {

int number_in(std::string_view text, const std::string& variable) {
  int number = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || number < 0) {
    throw UsageError("{}: '{}' is not a number of Slurm's. Was the variable set by hand?", variable, text);
  }
  return number;
}

// The first variable that is set, with its name.
std::optional<std::pair<std::string, std::string>> first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = environment(name); value != nullptr && *value != '\0') return std::pair{std::string(name), std::string(value)};
  }
  return std::nullopt;
}

int number_of(const Environment& environment, std::initializer_list<const char*> names) {
  const auto found = first_of(environment, names);
  return found ? number_in(found->second, found->first) : 0;
}

}  // namespace

std::vector<int> expand_slurm_list(const std::string& text, const std::string& variable) {
  std::vector<int> numbers;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto entry = text.substr(begin, end - begin);
    const auto times = entry.find("(x");
    int repeats = 1;
    if (times != std::string::npos) {
      if (!entry.ends_with(')')) throw UsageError("{}: '{}' is not a list of Slurm's, as \"2(x3),1\".", variable, text);
      repeats = number_in(std::string_view(entry).substr(times + 2, entry.size() - times - 3), variable);
    }
    if (repeats > 1 << 20) throw UsageError("{}: '{}' names more nodes than there are.", variable, text);
    numbers.insert(numbers.end(), static_cast<std::size_t>(repeats), number_in(std::string_view(entry).substr(0, times), variable));
    begin = end + 1;
  }
  return numbers;
}

std::optional<SlurmStep> slurm_step(const Environment& environment) {
  if (!first_of(environment, {"SLURM_STEP_ID", "SLURM_STEPID"})) return std::nullopt;
  const auto space = first_of(environment, {"PMIX_NAMESPACE"});
  SlurmStep step;
  step.starts_ranks = !first_of(environment, {"OMPI_COMM_WORLD_SIZE"}) && space && space->second.starts_with("slurm.");
  step.tasks = number_of(environment, {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS"});
  step.task = number_of(environment, {"SLURM_PROCID"});
  if (const auto list = first_of(environment, {"SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE"})) {
    const auto numbers = expand_slurm_list(list->second, list->first);
    const auto node = static_cast<std::size_t>(number_of(environment, {"SLURM_NODEID"}));
    // SLURM_NTASKS_PER_NODE may be one number for all nodes.
    step.tasks_on_node = node < numbers.size() ? numbers[node] : numbers.size() == 1 ? numbers.front() : 0;
  }
  step.gpus_on_node = number_of(environment, {"SLURM_GPUS_ON_NODE"});
  if (const auto node = first_of(environment, {"SLURMD_NODENAME"})) step.node = node->second;
  return step;
}

}  // namespace duet
