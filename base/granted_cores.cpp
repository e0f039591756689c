#include "base/granted_cores.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <string>

namespace duet {

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  return cores;
}

std::optional<int> own_quota() {
  static const auto found = [] {
    std::optional<int> least;
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {  // "0::/job" (version 2) or "1:cpu,cpuacct:/job"
      const auto first = line.find(':'), second = line.find(':', first + 1);
      if (second == std::string::npos) continue;
      const auto controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
      const bool has_cpu = (',' + controllers + ',').find(",cpu,") != std::string::npos;
      if (!controllers.empty() && !has_cpu) continue;
      const std::filesystem::path root = "/sys/fs/cgroup";
      const auto granted = cores_of_quota(controllers.empty() ? root : root / controllers, group);
      if (granted) least = std::min(least.value_or(*granted), *granted);
    }
    return least;
  }();
  return found;
}

std::optional<int> cores_of_quota(const std::filesystem::path& root, std::filesystem::path group) {
  std::optional<int> cores;
  for (;; group = group.parent_path()) {
    const auto folder = root / group.relative_path();
    const auto figures = [&folder](std::initializer_list<const char*> names) {
      std::vector<double> values;
      for (const char* name : names) {
        std::ifstream file(folder / name);
        for (double value; file >> value;) values.push_back(value);
      }
      return values;
    };
    auto limit = figures({"cpu.max"});  // "max 100000" has no figure first
    if (limit.empty()) limit = figures({"cpu.cfs_quota_us", "cpu.cfs_period_us"});
    if (limit.size() == 2 && limit[0] > 0 && limit[1] > 0) {
      const int granted = static_cast<int>(std::clamp(limit[0] / limit[1], 1.0, 1e6));
      cores = std::min(cores.value_or(granted), granted);
    }
    if (!group.has_relative_path()) return cores;
  }
}

int available_cores() {
  const int cores = std::max(1, static_cast<int>(allowed_cores().size()));
  return std::min(cores, own_quota().value_or(cores));
}

}  // namespace duet
